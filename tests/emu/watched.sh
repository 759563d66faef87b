#!/bin/sh
# Every op of the GPU's backend under the sanitizers and, beside it, watched for races and for memory that is not the
# device's.  faults.md shows what either finds.
set -u
[ -e "$THINKPIPE_PLUGINS/watch/thinkpipe-emu.so" ] || { echo "the watching emulator is not built here"; exit 77; }
export OPS_ONLY=cuda-emu THINKPIPE_PRODUCTS=own
THINKPIPE_PLUGINS=$THINKPIPE_PLUGINS/watch "$BUILT/unit/test_ops_cpu" >watched 2>&1 &
LD_PRELOAD=$(${CXX:-g++} -print-file-name=libasan.so) ASAN_OPTIONS=detect_leaks=0 \
    THINKPIPE_PLUGINS=$THINKPIPE_PLUGINS/asan "$BUILT/unit/test_ops_cpu" >sanitized 2>&1
status=$?
wait $! || status=$?
tail -n 20 sanitized watched
if [ -n "${LONG:-}" ]; then # steps of decoding that are recorded, memory that is cut up
    THINKPIPE_PLUGINS=$THINKPIPE_PLUGINS/watch "$BUILT/unit/test_device" || status=$?
    LD_PRELOAD=$(${CXX:-g++} -print-file-name=libasan.so) ASAN_OPTIONS=detect_leaks=0 \
        THINKPIPE_PLUGINS=$THINKPIPE_PLUGINS/asan "$BUILT/unit/test_device" || status=$?
fi
[ $status = 0 ] && grep -q '^ok [0-9]\{3\}' sanitized && grep -q '^ok [0-9]\{3\}' watched
