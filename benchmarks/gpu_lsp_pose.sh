#!/usr/bin/env bash
# experiment=lsp_pose on one GPU, 8 minutes of training: run from the repository's folder.
#   bash benchmarks/gpu_lsp_pose.sh unpack <piece.tar> [<piece.tar> ...]    as often as there are pieces
#   bash benchmarks/gpu_lsp_pose.sh train [folder for results, default outputs/gpu_lsp_pose]
# Pieces come from benchmarks/pack_lsp.py. Environment: DATA, where they are unpacked (default /tmp/har_lsp);
# EPOCHS of the schedule (default 60: about 8 minutes at 1,500 images/s; the learning rate reaches zero
# only if they end in time); MINUTES (default 8); WORKERS.
# Prints the log of training. Every minute the averaged weights are written to the results' folder in pieces
# of 15 MiB, lsp_pose.safetensors.aa and so on: `cat lsp_pose.safetensors.* > lsp_pose.safetensors`.
set -uo pipefail
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-python}
DATA=${DATA:-/tmp/har_lsp}
case "${1:-}" in
unpack)
    shift
    mkdir -p "$DATA/lsp"
    for piece in "$@"; do tar -xf "$piece" -C "$DATA/lsp" || exit 1; done
    find "$DATA/lsp" -name '*.jpg' | wc -l
    exit
    ;;
train) ;;
*)
    sed -n '2,9p' "$0" >&2
    exit 2
    ;;
esac
OUT=${2:-outputs/gpu_lsp_pose}
RUNS=$(mktemp -d)
WORKERS=${WORKERS:-14}
mkdir -p "$OUT"
$PYTHON -c "import torch; print(torch.cuda.get_device_name(), 'torch', torch.__version__)" || exit 1

keep() {
    local last
    last=$(find "$RUNS" -name last.ckpt | head -n 1)
    test -n "$last" || return 0
    CUDA_VISIBLE_DEVICES='' $PYTHON -m har.convert weights="$last" out="$RUNS/weights.safetensors" >"$RUNS/convert.txt" 2>&1 &&
        split -b 15m "$RUNS/weights.safetensors" "$OUT/lsp_pose.safetensors."
    rm -f "$RUNS/weights.safetensors"
    cp "$RUNS/log.txt" "$OUT/" 2>/dev/null
}

test -f "$DATA/lsp/prepared/persons.h5" || $PYTHON -m har.prepare lsp paths.data_dir="$DATA" workers="$WORKERS" || exit 1
$PYTHON -m har.train experiment=lsp_pose trainer=gpu paths.data_dir="$DATA" paths.output_dir="$RUNS" \
    data.num_workers="$WORKERS" module.phases.pose.epochs="${EPOCHS:-60}" data.val_persons=200 \
    "+trainer.max_time=00:00:${MINUTES:-8}:00" test=false >"$RUNS/log.txt" 2>&1 &
training=$!
while kill -0 $training 2>/dev/null; do
    sleep 60 &
    wait -n $training $!
    keep
done
wait $training
code=$?
keep
tail -n 40 "$RUNS/log.txt"
exit $code
