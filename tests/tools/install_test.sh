#!/bin/sh
# install_test: what `make install` puts below a prefix works from there, after the prefix has been moved: the program
# finds its demo, a program outside the project is built with pkg-config alone and with CMake, and both run.
#
#     install_test.sh SOURCE_FOLDER SCRATCH_FOLDER BUILD_FOLDER
set -eu
source=$1
scratch=$2/install
build=$3
rm -rf "$scratch"
mkdir -p "$scratch/outside"
cmake --install "$build" --prefix "$scratch/first" >/dev/null
mv "$scratch/first" "$scratch/prefix"
PKG_CONFIG_PATH=$(dirname "$(find "$scratch/prefix" -name attune.pc)")
export PKG_CONFIG_PATH
# A build with sanitizers needs them in its users, too.
sanitize=
if grep -q '^AT_SANITIZE:BOOL=ON' "$build/CMakeCache.txt"; then sanitize=-fsanitize=address,undefined; fi

cd "$scratch/outside"
cat >user.c <<'END'
#include <attune.h>
#include <stdio.h>
int main(void)
{
    at_ctx *ctx;
    const char *name, *doc;
    if (at_ctx_create(&ctx, NULL) != AT_OK) return 1;
    for (int i = 0; at_kind_list(ctx, "architecture", i, &name, &doc); i++) printf("%s %s\n", name, AT_VERSION);
    at_ctx_destroy(ctx);
    return 0;
}
END
cat >CMakeLists.txt <<'END'
cmake_minimum_required(VERSION 3.18)
project(user C)
find_package(PkgConfig REQUIRED)
pkg_check_modules(ATTUNE REQUIRED IMPORTED_TARGET attune)
add_executable(user user.c)
target_link_libraries(user PkgConfig::ATTUNE)
END
version=$(sed -n 's/^#define AT_VERSION "\(.*\)"/\1/p' "$source/include/attune.h")
[ "$(pkg-config --modversion attune)" = "$version" ]

# eval: pkg-config escapes what the shell would split.
eval "cc $sanitize user.c -o by_hand $(pkg-config --cflags --libs attune)"
./by_hand | grep -qx "mobilenet_v2 $version"
cmake -S . -B with_cmake -DCMAKE_C_FLAGS="$sanitize" >/dev/null
cmake --build with_cmake >/dev/null
with_cmake/user | grep -qx "mobilenet_v2 $version"

# The demo in short, with nothing of the source folder in reach: it must find its own; one step need not be good.
"$scratch/prefix/bin/attune" --version | grep -qx "attune $version"
code=0
"$scratch/prefix/bin/attune" demo --train.steps 1 --output demo-run >demo.txt 2>&1 || code=$?
if [ "$code" -ne 0 ] && ! { [ "$code" -eq 1 ] && grep -q "the demonstration failed: " demo.txt; }; then
    echo "the installed program's demo ended with $code, and not for its verdict"
    cat demo.txt
    exit 1
fi
for name in probe last full scratch; do
    if [ ! -f "demo-run/$name/model/model.safetensors" ]; then
        echo "the installed program made no demo-run/$name/model/model.safetensors"
        cat demo.txt
        exit 1
    fi
done
