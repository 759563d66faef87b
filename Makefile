# thinkpipe: small Unix programs that train reasoning language models.
#
#   make              build everything into bin/
#   make deps         install the Debian packages it needs (or print the command)
#   make check        all tests that need no GPU and no network
#   make check-emu    of those, the ones of the GPU's kernels
#   make check-long   slower checks: many seeds, many kills
#   make verifier-report  what the verifiers say of tests/verifier, by kind
#   make asan         the unit and CLI tests under AddressSanitizer and UBSan
#   make fuzz         the parsers with any input, FUZZ_SECONDS=60 each (clang)
#   make quickstart   the whole recipe on this machine, in less than ten minutes
#   make gpu-bundle   a tar file for a machine with a GPU: tests/gpu/run.sh and all that it runs
#   make bench        speed figures; with PEER_PYTHON=... PyTorch in turn (tests/bench/race.sh)
#   make install PREFIX=/usr/local
#
# B is the build folder, ROOMS the folders of common/ to build (all by default).

CC      ?= gcc
B       ?= build/obj
BIN     ?= bin
PREFIX  ?= /usr/local
WERROR  ?= -Werror
ROOMS   ?= base data net model gen train reward mix report

.PHONY: all
all:

PKGS     = jansson libarchive libcurl libpcre2-8 libseccomp libutf8proc libxxhash libzstd
WARN     = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wpointer-arith \
           -Wformat=2 -Wcast-qual -Wnull-dereference -Wundef
SANITIZE = -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
HARDEN   = -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
OPTIM   ?= -O2
CFLAGS  ?= -g
CPPFLAGS += -D_GNU_SOURCE -I. -Icommon
BASE_CFLAGS = -std=c17 $(OPTIM) $(CFLAGS) $(WARN) $(WERROR) $(SAN)
LIB_CFLAGS  = $(BASE_CFLAGS) $(if $(SAN),-fPIE,$(HARDEN)) $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
LDFLAGS += -pie -Wl,-z,relro,-z,now $(SAN)
# FLINT and Arb have no pkg-config file in Debian 12, nor XGBoost, which brings C++ and OpenMP with it: only for programs that use it.
LDLIBS   = $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lflint-arb -lflint -lgmp \
           -Wl,--push-state,--as-needed -lxgboost -Wl,--pop-state -lm -lpthread

LIB_SRC  := $(foreach r,$(ROOMS),$(wildcard common/$(r)/*.c))
LIB_OBJ  := $(LIB_SRC:%.c=$(B)/%.o)
TOOL_SRC := $(wildcard tools/*.c)
TOOLS    := $(TOOL_SRC:tools/%.c=%)
UNIT_SRC := $(wildcard tests/unit/test_*.c)
UNITS    := $(UNIT_SRC:tests/unit/%.c=$(B)/unit/%)

# The CPU kernels are compiled once per instruction set; kernels/open.c picks at run time.
CPU_SRC  := $(wildcard kernels/cpu/*.c)
REF_SRC  := $(wildcard kernels/ref/*.c)
KOPT      = -O3 -ffp-contract=fast -fno-math-errno -fno-trapping-math
# Twice as many registers as there are: -O3 would take minutes.
KOPTemu512 = $(subst -O3,-O1,$(KOPT))
KOPTemubf16 = $(KOPTemu512)
KOPTemuamx = $(KOPTemu512)
ISA_base   =
ISA_avx2   = -mavx2 -mfma
ISA_avx512 = -mavx512f -mavx512bw -mavx512vl -mavx512dq -mfma -mprefer-vector-width=512
ISA_avx512bf16 = $(ISA_avx512) -mavx512bf16 -DTP_DOT
ISA_amx    = $(ISA_avx512) -mamx-tile -mamx-bf16 -DTP_AMX
# AVX-512's and AMX's code on AVX2, bit for bit and slow: linked into tests only.
ISA_emu512 = -mavx2 -mfma -DTP_EMULATE -Wno-psabi
ISA_emubf16 = $(ISA_emu512) -DTP_DOT
ISA_emuamx = $(ISA_emu512) -DTP_AMX
X86       := $(filter x86_64,$(shell uname -m))
ISAS      := base $(if $(X86),avx2 avx512 avx512bf16 amx)
EMULATED  := $(if $(X86),emu512 emubf16 emuamx)
KERN_OBJ := $(foreach i,$(ISAS),$(CPU_SRC:%.c=$(B)/%.$(i).o)) $(B)/kernels/open.o $(B)/kernels/plugin.o
EMU_OBJ  := $(foreach i,$(EMULATED),$(CPU_SRC:%.c=$(B)/%.$(i).o))
REF_OBJ  := $(REF_SRC:%.c=$(B)/%.o)

# The GPU's kernels: a plug-in that nvcc makes where there is one (CUDA=0: never), and the same sources with
# the emulator in kernels/emu as a plug-in for tests.
NVCC     ?= $(firstword $(wildcard $(addsuffix /nvcc,$(subst :, ,$(PATH)) /usr/local/cuda/bin)))
CUDA     ?= $(if $(NVCC),1,0)
PLUGINS   = $(BIN)/../lib/thinkpipe
CU_SRC   := $(wildcard kernels/cuda/*.cu)
CU_OBJ   := $(CU_SRC:%.cu=$(B)/%.nvcc.o)
EMU_WATCH := kernels/emu/watch.cpp kernels/emu/traffic.cpp
CUEMU_SRC := $(filter-out $(EMU_WATCH),$(wildcard kernels/emu/*.cpp))
CUEMU_OBJ := $(CU_SRC:%.cu=$(B)/%.emu.o) $(CUEMU_SRC:%.cpp=$(B)/%.o)
CUEMU_WATCH := $(patsubst %,$(B)/%.watch.o,$(basename $(CU_SRC) $(CUEMU_SRC) $(EMU_WATCH)))
CUEMU_ASAN := $(patsubst %,$(B)/%.asan.o,$(basename $(CU_SRC) $(CUEMU_SRC)))
EMU_BUILDS = thinkpipe-emu.so $(if $(SAN),,asan/thinkpipe-emu.so watch/thinkpipe-emu.so)
CU_ARCH   = -gencode arch=compute_80,code=sm_80 -gencode arch=compute_90,code=[sm_90,compute_90]
NVCC_FLAGS = -std=c++17 -O3 -fmad=false -I. $(CU_ARCH) -Xcompiler -fPIC,-fvisibility=hidden,-Wall -DBACKEND_NAME='"cuda"'
CXX      ?= g++
CXX_FLAGS = -std=c++17 -O2 -g -I. -Wall -Wextra -Wno-unknown-pragmas -Wno-missing-field-initializers -Wno-unused-function \
            -ffp-contract=off -fno-strict-aliasing -fPIC -fvisibility=hidden -DBACKEND_NAME='"emu"' $(WERROR) $(SAN)

LIB  = $(B)/libthinkpipe.a

# What is compiled needs the libraries first: build/NAME.deps is there once NAME's packages are.
OBJECTS := $(LIB_OBJ) $(KERN_OBJ) $(EMU_OBJ) $(REF_OBJ) $(TOOL_SRC:%.c=$(B)/%.o) $(UNIT_SRC:%.c=$(B)/%.o)
$(OBJECTS): | build/build.deps
$(CUEMU_OBJ) $(CUEMU_ASAN) $(CUEMU_WATCH): | build/test.deps

all: $(TOOLS:%=$(BIN)/%) $(if $(filter 1,$(CUDA)),$(PLUGINS)/thinkpipe-cuda.so)

$(LIB): $(LIB_OBJ) $(KERN_OBJ)
	@rm -f $@
	@$(AR) rcs $@ $^

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(LIB_CFLAGS) -MMD -MP -c -o $@ $<

# Loops over all weights of a model, all words of a corpus or all pairs of unknowns, worth vector code.
$(B)/common/data/minhash.o $(B)/common/data/ggml.o $(B)/common/data/ggml_k.o $(B)/common/model/convert_tensor.o \
  $(B)/common/mix/forest.o $(B)/common/mix/law.o: OPTIM = -O3

# It holds these files.
$(B)/common/reward/code_python.o: $(wildcard common/reward/python/*.py)

define ISA_RULE
$(B)/kernels/cpu/%.$(1).o: kernels/cpu/%.c
	@mkdir -p $$(@D)
	$$(CC) $$(CPPFLAGS) $$(BASE_CFLAGS) -fPIE $$(KOPT$(filter emu%,$(1))) $$(ISA_$(1)) -DISA=$(1) -MMD -MP -c -o $$@ $$<
endef
$(foreach i,$(ISAS) $(EMULATED),$(eval $(call ISA_RULE,$(i))))

$(B)/%.nvcc.o: %.cu
	@mkdir -p $(@D)
	$(NVCC) $(NVCC_FLAGS) -Xptxas -v -MMD -MP -c -o $@ $< 2>$@.ptxas || { cat $@.ptxas >&2; exit 1; }

$(PLUGINS)/thinkpipe-cuda.so: $(CU_OBJ)
	@mkdir -p $(@D)
	@$(NVCC) --version | sed -n 's/.*release/nvcc/p' >$(B)/nvcc.version
	$(NVCC) -shared -cudart static $(CU_ARCH) -o $@.tmp $^
	@mv $@.tmp $@

$(B)/%.emu.o: %.cu
	@mkdir -p $(@D)
	$(CXX) $(CXX_FLAGS) -MMD -MP -c -o $@ -x c++ $<

$(B)/%.asan.o: %.cu
	@mkdir -p $(@D)
	$(CXX) $(CXX_FLAGS) -O1 $(SANITIZE) -MMD -MP -c -o $@ -x c++ $<

$(B)/%.asan.o: %.cpp
	@mkdir -p $(@D)
	$(CXX) $(CXX_FLAGS) $(SANITIZE) -fno-sanitize=undefined -MMD -MP -c -o $@ $<

$(B)/%.watch.o: %.cu
	@mkdir -p $(@D)
	$(CXX) $(CXX_FLAGS) -fsanitize=thread -MMD -MP -c -o $@ -x c++ $<

$(B)/%.watch.o: %.cpp
	@mkdir -p $(@D)
	$(CXX) $(CXX_FLAGS) -DEMU_WATCH -MMD -MP -c -o $@ $<

$(B)/%.o: %.cpp
	@mkdir -p $(@D)
	$(CXX) $(CXX_FLAGS) -MMD -MP -c -o $@ $<

$(B)/plugins/thinkpipe-emu.so: $(CUEMU_OBJ)
	@mkdir -p $(@D)
	$(CXX) -shared $(SAN) -o $@ $^

# The same under the sanitizers (their library must be preloaded), and watching for races and traffic.
$(B)/plugins/asan/thinkpipe-emu.so: $(CUEMU_ASAN)
	@mkdir -p $(@D)
	$(CXX) -shared $(SANITIZE) -o $@ $^

$(B)/plugins/watch/thinkpipe-emu.so: $(CUEMU_WATCH)
	@mkdir -p $(@D)
	$(CXX) -shared -o $@ $^

$(BIN)/%: $(B)/tools/%.o $(LIB)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(B)/unit/%: $(B)/tests/unit/%.o $(REF_OBJ) $(EMU_OBJ) $(LIB)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

.SECONDARY:
-include $(LIB_OBJ:.o=.d) $(KERN_OBJ:.o=.d) $(EMU_OBJ:.o=.d) $(REF_OBJ:.o=.d) $(TOOL_SRC:%.c=$(B)/%.d) $(UNIT_SRC:%.c=$(B)/%.d) $(wildcard $(B)/tests/bench/*.d) \
  $(CU_OBJ:.o=.d) $(CUEMU_OBJ:.o=.d) $(CUEMU_WATCH:.o=.d) $(CUEMU_ASAN:.o=.d)

$(B)/bench/%: $(B)/tests/bench/%.o $(REF_OBJ) $(LIB)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# ---- tests -------------------------------------------------------------------------------------

.PHONY: units check check-long check-emu verifier-report asan bench
units: $(UNITS) $(B)/net/fault_server $(B)/sandbox/escape $(if $(X86),$(EMU_BUILDS:%=$(B)/plugins/%))

# The server that tests/fault/http-faults.sh and test_net talk to.
$(B)/net/%: tests/net/%.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(BASE_CFLAGS) -o $@ $< -lpthread

# The hostile program of test_sandbox: alone, so that it runs where there is nothing else.
$(B)/sandbox/escape: $(wildcard tests/sandbox/*.c) tests/sandbox/escape.h
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -std=c17 -O1 $(WARN) $(WERROR) -static -o $@ $(filter %.c,$^) -lpthread

# Every check prints one line a test and the runner adds them up: "N passed, N failed, N skipped".
check: all units | build/test.deps
	@tests/run.sh --bin $(BIN) --units $(B)/unit

check-long: all units | build/test.deps
	@LONG=1 tests/run.sh --bin $(BIN) --units $(B)/unit

# The GPU's kernels without a GPU: on the emulator, and what nvcc makes of them.
check-emu: all units | build/test.deps
	@OPS_ONLY=cuda-emu tests/run.sh --bin $(BIN) --units $(B)/unit emu/ test_plugin test_ops test_device

# Agreement of the verifiers with tests/verifier, by kind.
verifier-report: $(B)/unit/test_math $(B)/unit/test_instruct $(B)/unit/test_strings
	@$(B)/unit/test_math --report
	@$(B)/unit/test_instruct --report
	@$(B)/unit/test_strings --report

asan:
	@$(MAKE) --no-print-directory B=build/asan BIN=build/asan/bin OPTIM=-O1 KOPT="$(KOPT:-O3=-O1)" \
	    CUDA=0 SAN="$(SANITIZE)" all units
	@ASAN=1 tests/run.sh --bin build/asan/bin --units build/asan/unit

# Each parser with any input for so long, under AddressSanitizer and UBSan; needs clang.
FUZZ_SECONDS ?= 60
.PHONY: fuzz
fuzz:
	@for name in math extract instruct literal regex reply code verifier cache jinja gguf safetensors tokenizer config lineage corpus flat mix; do tests/fuzz/run.sh $$name $(FUZZ_SECONDS) || exit 1; done

bench: all $(patsubst tests/bench/%.c,$(B)/bench/%,tests/bench/bench_ops.c tests/bench/bench_model.c)
	@$(B)/bench/bench_ops
	@echo
	@tests/bench/race.sh $(B)/bench/bench_model

# For a machine with a GPU and nothing else of ours: tests/gpu/run.sh and all that it runs, linked to find copies of
# the libraries beside it (the run path that libraries of libraries follow, too).
BUNDLE   = $(B)/bundle
BUNDLED  = $(addprefix bin/,task-gen tok-train tok-encode model-init base-train sft-train rlvr-train rollout-gen reward-verify \
             logprob-recalc) $(addprefix tests/,test_ops_cpu test_ops_values test_ops_exact test_device bench_gpu bench_model)
LINK_BUNDLED = @mkdir -p $(@D) && $(CC) $(LDFLAGS) -Wl,--disable-new-dtags,-rpath,'$$ORIGIN/../lib/private' -o $@ $^ $(LDLIBS)

$(BUNDLE)/bin/%: $(B)/tools/%.o $(LIB)
	$(LINK_BUNDLED)

$(BUNDLE)/tests/test_%: $(B)/tests/unit/test_%.o $(REF_OBJ) $(EMU_OBJ) $(LIB)
	$(LINK_BUNDLED)

$(BUNDLE)/tests/bench_%: $(B)/tests/bench/bench_%.o $(LIB)
	$(LINK_BUNDLED)

.PHONY: gpu-bundle
gpu-bundle: build/thinkpipe-gpu.tar.gz
build/thinkpipe-gpu.tar.gz: all units $(BUNDLED:%=$(BUNDLE)/%)
	@tests/gpu/bundle.sh $(BUNDLE) $(PLUGINS)/thinkpipe-cuda.so $(B)/plugins/thinkpipe-emu.so $@

# ---- set-up, quickstart, installation ------------------------------------------------------------

DEB_BUILD = gcc libc6-dev make pkg-config libjansson-dev libarchive-dev libcurl4-openssl-dev libpcre2-dev \
            libseccomp-dev libxxhash-dev libzstd-dev libutf8proc-dev libflint-dev libflint-arb-dev libxgboost-dev
DEB_TEST  = g++ jq zstd mandoc
# Text that Debian ships, used by the quickstart as its domains.
DEB_TEXT  = dict-gcide dict-jargon linux-libc-dev libpython3.11-stdlib perl-doc
DEB_ALL   = $(DEB_BUILD) $(DEB_TEST) $(DEB_TEXT)

APT_INSTALL = apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends

.PHONY: deps quickstart install clean
deps:
	@if [ "$$(id -u)" = 0 ]; then $(APT_INSTALL) $(DEB_ALL); \
	else echo "as root: apt-get update && apt-get install --no-install-recommends $(DEB_ALL)"; fi

# Installs what is missing of a list when root, else says what is. Without dpkg that is the user's affair.
build/build.deps: PACKAGES = $(DEB_BUILD)
build/test.deps: PACKAGES = $(DEB_TEST)
build/text.deps: PACKAGES = $(DEB_TEST) $(DEB_TEXT)
build/%.deps:
	@mkdir -p build
	@missing=; for p in $(PACKAGES); do ! command -v dpkg-query >/dev/null || \
	    dpkg-query -W -f '$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$p"; done; \
	if [ -n "$$missing" ] && [ "$$(id -u)" = 0 ]; then $(APT_INSTALL) $$missing; \
	elif [ -n "$$missing" ]; then echo "missing packages:$$missing (as root: make deps)" >&2; exit 1; fi
	@touch $@

quickstart: all | build/text.deps
	@pipelines/quickstart.sh

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/man/man5 \
	    $(DESTDIR)$(PREFIX)/share/man/man7
	install -m 755 $(TOOLS:%=$(BIN)/%) $(DESTDIR)$(PREFIX)/bin
	for s in 1 5 7; do for f in man/*.$$s; do \
	    [ -e "$$f" ] && install -m 644 "$$f" $(DESTDIR)$(PREFIX)/share/man/man$$s; done; done; true
	[ ! -e $(PLUGINS)/thinkpipe-cuda.so ] || \
	    install -D -m 755 -t $(DESTDIR)$(PREFIX)/lib/thinkpipe $(PLUGINS)/thinkpipe-cuda.so

clean:
	rm -rf build bin lib
