#!/bin/sh
# check_layers_test: tools/check_layers is silent on the tree as it is, and names a planted breach of each rule.
#
#     check_layers_test.sh SOURCE_FOLDER SCRATCH_FOLDER
set -eu
source=$1
scratch=$2/check_layers
rm -rf "$scratch"
mkdir -p "$scratch"
cp -R "$source/src" "$source/cli" "$source/tools" "$scratch/"
bad=0

"$scratch/tools/check_layers" >"$scratch/clean.txt" || { cat "$scratch/clean.txt"; bad=1; }

# plant FILE LINE RULE: a new file with this line; the report must hold a line with the file and the rule
expected=$scratch/expected.txt
: >"$expected"
plant() {
    mkdir -p "$(dirname "$scratch/$1")"
    printf '%s\n' "$2" >>"$scratch/$1"
    printf '%s\t%s\n' "$1" "$3" >>"$expected"
}
plant src/base/planted_include.c '#include "engine/plan.h"' 'base must not include engine/'
plant src/gemm/planted_include.c '#include "engine/op.h"' 'gemm must not include engine/'
plant src/formats/planted_include.c '#include "engine/op.h"' 'formats must not include engine/'
plant src/text/planted_include.c '#include "data/photos.h"' 'text must not include data/'
plant src/engine/planted_include.c '#include "ops/optim/optim.h"' 'engine must not include ops/'
plant src/ops/relu/planted_include.c '#include "formats/file.h"' 'ops must not include formats/'
plant src/nn/planted_include.c '#include "models/model.h"' 'nn must not include models/'
plant src/data/planted_include.c '#include "nn/net.h"' 'data must not include nn/'
plant src/models/planted_include.c '#include "data/photos.h"' 'models must not include data/'
plant src/adapt/planted_include.c '#include "tasks/task.h"' 'adapt must not include tasks/'
plant src/tasks/planted_include.c '#include "run/run.h"' 'tasks must not include run/'
plant src/nowhere/planted_folder.c 'int at_x;' 'folder nowhere has no rule'
plant cli/planted_include.c '#include "base/base.h"' 'cli includes attune.h and cli.h'
plant src/run/planted_malloc.c '    x = malloc(3);' 'malloc and free'
plant src/run/planted_free.c '    (free(x));' 'malloc and free'
plant src/run/planted_getenv.c '    x = getenv("X");' 'getenv: src/base/env.c'
plant src/engine/planted_threads.c '#include <pthread.h>' 'threads: the pool'
plant src/gemm/planted_openmp.c '#include <omp.h>' 'threads: the pool'
plant src/gemm/planted_onednn.c '#include <dnnl.h>' 'oneDNN: kernels by it'
plant src/run/planted_stream.c '    FILE *f;' 'stdio streams'
plant src/run/planted_print.c '    printf("x");' 'neither prints nor ends'
plant src/run/planted_exit.c '    exit(1);' 'neither prints nor ends'
plant src/data/planted_rand.c '    x = rand();' 'weak random numbers'
plant cli/planted_copy.c '    strcpy(a, b);' 'unbounded copies'
plant src/data/planted_codec.c '#include <png.h>' 'codec headers'
plant src/data/planted_regex.c '#include <pcre2.h>' 'regular expressions'
plant src/ops/relu/planted_isa.c '#include <immintrin.h>' 'instruction sets are named by the build'
plant src/engine/planted_word.c '/* softmax_xent is special */' 'name no op'
plant src/engine/planted_symbol.c 'extern const at_op at_op_add;' 'name no op'
plant src/base/planted_call.c '    y = at_linear(g, x, w, b);' 'name no op'
plant src/gemm/planted_text.c '    is(name, "add.avx2");' 'name no op'
plant src/run/planted_model.c '    is(name, "mobilenet_v2");' 'names the model mobilenet_v2'
plant src/run/planted_task.c '    is(name, "image-classification");' 'only src/tasks names a task'
plant src/run/planted_task_symbol.c '    t = &at_task_image_classification;' 'only src/tasks names a task'
# Tests may include everything.
printf '#include "run/run.h"\n' >"$scratch/src/base/planted_exempt_test.c"

if "$scratch/tools/check_layers" >"$scratch/planted.txt"; then
    echo "check_layers exits with 0 in a tree full of breaches"
    bad=1
fi
tab=$(printf '\t')
while IFS=$tab read -r file rule; do
    if ! grep -F "$file" "$scratch/planted.txt" | grep -qF "$rule"; then
        echo "not found: $file ($rule)"
        bad=1
    fi
done <"$expected"
found=$(wc -l <"$scratch/planted.txt")
planted=$(wc -l <"$expected")
[ "$found" -eq "$planted" ] || { echo "$planted breaches were planted, $found reported"; bad=1; }
[ $bad -eq 0 ] || cat "$scratch/planted.txt"
rm -rf "${scratch:?}/src" "${scratch:?}/cli"
exit $bad
