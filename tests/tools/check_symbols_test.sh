#!/bin/sh
# check_symbols_test: tools/check_symbols is silent on the built library, and names each breach in a bad one.
#
#     check_symbols_test.sh SOURCE_FOLDER SCRATCH_FOLDER BUILD_FOLDER
set -eu
source=$1
scratch=$2/check_symbols
rm -rf "$scratch"
mkdir -p "$scratch"
cat >"$scratch/bad.c" <<'END'
#include <stdio.h>
#include <stdlib.h>
void unprefixed(void);
void unprefixed(void) { printf("%d", rand()); }
int at_counter;
static int hidden = 3;
int at_next(void);
int at_next(void) { hidden += at_counter; exit(hidden); }
END
cc -c -O1 -o "$scratch/bad.o" "$scratch/bad.c"
ar rc "$scratch/libattune.a" "$scratch/bad.o"

bad=0
if "$source/tools/check_symbols" "$scratch" >"$scratch/report.txt"; then
    echo "check_symbols exits with 0 for a bad library"
    bad=1
fi
for line in 'global symbol without at_: unprefixed' 'writable data: .*at_counter' 'writable data: .*hidden' \
    'must not make: .* printf' 'must not make: .* rand' 'must not make: .* exit'; do
    grep -q "$line" "$scratch/report.txt" || { echo "not found: $line"; bad=1; }
done
[ $bad -eq 0 ] || cat "$scratch/report.txt"
if [ $# -gt 2 ]; then "$source/tools/check_symbols" "$3" || bad=1; fi
exit $bad
