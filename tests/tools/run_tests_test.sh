#!/bin/sh
# run_tests_test: tools/run_tests ends with 0 only when every test passes and every skip is an expected one.
#
#     run_tests_test.sh SOURCE_FOLDER SCRATCH_FOLDER
set -eu
source=$1
scratch=$2/run_tests
rm -rf "$scratch"
bad=0

# try NAME WANTED_EXIT_CODE LINE_IN_THE_OUTPUT; the tests are the lines of CTestTestfile.cmake on stdin
try() {
    mkdir -p "$scratch/$1"
    cat >"$scratch/$1/CTestTestfile.cmake"
    code=0
    "$source/tools/run_tests" "$scratch/$1" >"$scratch/$1/output.txt" 2>&1 || code=$?
    if { [ "$2" = 0 ] && [ $code -ne 0 ]; } || { [ "$2" != 0 ] && [ $code -eq 0 ]; }; then
        echo "$1: exit code $code, expected $2"
        bad=1
    fi
    grep -qF "$3" "$scratch/$1/output.txt" || { echo "$1: \"$3\" is not in the output"; bad=1; }
}

expected=$(head -n 1 "$source/tests/expected_skips.txt")
try passes 0 '100% tests passed' <<'END'
add_test(good true)
END
try fails not-0 '1 tests failed out of 2' <<'END'
add_test(good true)
add_test(bad false)
END
try crashes not-0 '1 tests failed out of 1' <<'END'
add_test(crash sh -c "kill -SEGV $$")
END
try is_missing not-0 '1 tests failed out of 1' <<'END'
add_test(missing /nowhere/program)
END
try has_none not-0 'No tests were found' <<'END'
END
try skips 0 "1 $expected" <<END
add_test(skip echo "SKIP test_x: $expected")
END
try skips_strangely not-0 'unexpected reason to skip: no reason at all' <<'END'
add_test(skip echo "SKIP test_x: no reason at all")
END
exit $bad
