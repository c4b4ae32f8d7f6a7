#!/usr/bin/env bash
# Training speed on one GPU, at most 6 minutes: run from the repository's folder.
#   bash benchmarks/gpu_training.sh [folder for data and results, default outputs/gpu_training]
# Prints, after the card's name:
#   1. har.benchmark train for the NTU recipe (full-HD synthetic videos): steps/s and images/s of every
#      phase and kind of batch, plain and compiled, beside resident batches, the loader alone, the time
#      to the first steps, and how much of a step the device works;
#   2. the pose phase with 128 frames a batch;
#   3. the tests that need a GPU and belong to training.
# Wanted: 2,000 images/s in the pose phase, 1,400 in the joint phase, 3,000 with 128 frames, and the
# first step of every phase within 90 s.
set -uo pipefail
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-python}
OUT=${1:-outputs/gpu_training}
WORKERS=${WORKERS:-14}
DATA=$OUT/data
mkdir -p "$OUT"
limit() { timeout --signal=INT "$@"; }

$PYTHON -c "import torch; print(torch.cuda.get_device_name(), 'torch', torch.__version__)" || exit 1
if ! test -f "$DATA/ntu/prepared/index.h5"; then
    limit 60 $PYTHON -m har.prepare synthetic paths.data_dir="$DATA" workers="$WORKERS" 'synthetic.subjects=[1,2,4,5]' \
        'synthetic.actions=[1,38]' synthetic.cameras_per_sample=1 || exit 1
    limit 60 $PYTHON -m har.prepare ntu paths.data_dir="$DATA" workers="$WORKERS" || exit 1
fi
of_data=(paths.data_dir="$DATA" paths.output_dir="$OUT" 'data.actions=[1,38]' 'model.num_actions=null'
    data.num_workers="$WORKERS" trainer=gpu)
echo "== the recipe's batches: 32 frames, 4 clips of 8"
limit 210 $PYTHON -m har.benchmark train "${of_data[@]}" steps=100 2>&1 | tee "$OUT/train.txt"
echo "== 128 frames"
limit 75 $PYTHON -m har.benchmark train "${of_data[@]}" steps=60 data.frame_batch_size=128 \
    module.phases.frozen=null module.phases.joint=null 2>&1 | tee "$OUT/train_128.txt"
echo "== tests"
limit 120 $PYTHON -m pytest -q -p no:xdist -m gpu tests/test_gpu.py -k "steps or resumed or waits" 2>&1 |
    tee "$OUT/tests.txt" | tail -n 30
