# Makefile: the commands of this project; the build itself is CMake's (CMakeLists.txt).
#
#     make            build build/attune and build/libattune.a
#     make demo       set up, build, fine-tune the bundled network on the bundled photos: runs/demo/report.html
#     make test       set up, build, run every test
#     make bench      time kernels and training steps against their peers (bench/README.md)
#     make install    below PREFIX (default /usr/local); DESTDIR works
#     make format     clang-format in place
#
# OPTIONS="-DAT_WERROR=ON ..." goes to cmake, BUILD=folder builds elsewhere.

BUILD ?= build
PREFIX ?= /usr/local
# One more than processors, for while another waits.
JOBS ?= $(shell expr $$(nproc) + 1)
OPTIONS ?=

.PHONY: all setup demo test bench install format clean

all:
	@cmake -S . -B $(BUILD) $(OPTIONS) >/dev/null
	@cmake --build $(BUILD) -j $(JOBS)

setup:
	@tools/setup

demo: setup
	@$(MAKE) --no-print-directory all
	@$(BUILD)/attune demo

test: setup
	@$(MAKE) --no-print-directory all
	@tools/run_tests $(BUILD)

bench:
	@tools/setup --bench
	@$(MAKE) --no-print-directory all OPTIONS="$(OPTIONS) -DAT_BENCH=ON"
	@bench/run $(BUILD)

install: all
	@cmake --install $(BUILD) --prefix $(PREFIX)

format:
	@git ls-files '*.c' '*.h' | xargs clang-format-14 -i

clean:
	rm -rf $(BUILD)
