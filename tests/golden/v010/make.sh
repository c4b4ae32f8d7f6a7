#!/usr/bin/env bash
# Makes these fixtures anew with har 0.1.0:  PYTHON=<python with har 0.1.0> ./make.sh [new folder]
# Everything runs in an empty temporary folder with relative paths (v010/...), on the CPU, one thread.
set -euo pipefail
PYTHON=${PYTHON:-python}
HERE=$(cd "$(dirname "$0")" && pwd)
OUT=$(realpath -m "${1:-$HERE}")
BUILD=${BUILD:-$(mktemp -d)}
STEPS=${STEPS:-"ntu mpii own merge pretrain collect"}
export OMP_NUM_THREADS=1 CUDA_VISIBLE_DEVICES= PYTHONDONTWRITEBYTECODE=1
mkdir -p "$BUILD/v010" && cd "$BUILD"

har() { "$PYTHON" -m "har.$1" "${@:2}" paths.output_dir=v010/outputs; }
# Where a run writes, by relative paths: Hydra's own would be absolute and stand in config and checkpoint.
places() { printf '%s\n' "hydra.run.dir=$1" "trainer.default_root_dir=$1" "callbacks.checkpoint.dirpath=$1/checkpoints" \
  "callbacks.figures.dirpath=$1/figures" "logger.save_dir=$1"; }
train() { local run=$1; shift; rm -rf "$run"; har train $(places "$run") trainer=cpu trainer.precision=32-true seed=0 "$@"; }
evaluate() { local run=$1; shift; rm -rf "$run"; har evaluate $(places "$run") trainer=cpu trainer.precision=32-true fast=false callbacks.figures=null "$@"; }
slim() { "$PYTHON" "$HERE/slim.py" "$@"; }

SMALL=('data.resolution=[32,32]' data.num_workers=0 data.eval_batch_size=4 model.num_levels=2 model.growth=4)
NTU=("${SMALL[@]}" 'data.actions=[22,43]' 'data.val_subjects=[]' data.clip_size=4 data.batch_size=2 data.frame_batch_size=8
  'model.num_actions=[2]' model.num_pyramids=1 'model.action_pyramids=[1]' model.num_pose_features=16 model.num_visual_features=16 trainer.check_val_every_n_epoch=2)

ntu() {
  har prepare synthetic paths.data_dir=v010/ntu_run/data seed=0 workers=1 'synthetic.size=[192,108]' \
    'synthetic.subjects=[1,3]' 'synthetic.actions=[22,43]' synthetic.replications=1 synthetic.cameras_per_sample=1
  har prepare ntu paths.data_dir=v010/ntu_run/data workers=1 ntu.scale=0.3 ntu.jpeg_quality=40
  train v010/ntu_run/run experiment=demo paths.data_dir=v010/ntu_run/data "${NTU[@]}" \
    module.phases.pose.epochs=2 module.phases.pose.steps_per_epoch=100 module.phases.frozen.epochs=1 \
    module.phases.frozen.steps_per_epoch=40 module.phases.joint.epochs=1 module.phases.joint.steps_per_epoch=5
  slim v010/ntu_run/run/checkpoints/last.ckpt v010/ntu_run/last.ckpt
  for protocol in single multi; do
    evaluate v010/ntu_run/evaluate_$protocol ckpt_path=v010/ntu_run/last.ckpt protocol=$protocol
  done
  har prepare boxes paths.data_dir=v010/ntu_run/data ckpt_path=v010/ntu_run/last.ckpt boxes.device=cpu
  evaluate v010/ntu_run/evaluate_boxes ckpt_path=v010/ntu_run/last.ckpt data.boxes=predicted
  "$PYTHON" "$HERE/cut.py" v010/ntu_run/data/ntu/nturgb+d_rgb/S003*A022_rgb.avi v010/ntu_run/clip.avi 45
  har predict source=v010/ntu_run/clip.avi weights=v010/ntu_run/last.ckpt out=v010/ntu_run/predict fast=false \
    device=cpu video=false
  har convert weights=v010/ntu_run/last.ckpt out=v010/ntu_run/last.safetensors
  har export weights=v010/ntu_run/last.ckpt format=onnx out=v010/ntu_run/last.onnx
  "$PYTHON" "$HERE/slim_onnx.py" v010/ntu_run/last.onnx
  "$PYTHON" "$HERE/answers.py" v010/ntu_run
}

mpii() {
  har prepare synthetic dataset=mpii paths.data_dir=v010/mpii_run/data seed=0 workers=1 synthetic.images=31
  "$PYTHON" "$HERE/fewer_images.py" v010/mpii_run/data/mpii/images
  har prepare mpii paths.data_dir=v010/mpii_run/data workers=1
  train v010/mpii_run/run experiment=demo_pose paths.data_dir=v010/mpii_run/data "${SMALL[@]}" data.batch_size=4 \
    data.val_persons=2 model.num_pyramids=1 module.phases.pose.epochs=2 module.phases.pose.steps_per_epoch=40
  slim v010/mpii_run/run/checkpoints/last.ckpt v010/mpii_run/last.ckpt
  evaluate v010/mpii_run/evaluate ckpt_path=v010/mpii_run/last.ckpt
  evaluate v010/mpii_run/evaluate_flip ckpt_path=v010/mpii_run/last.ckpt views=flip
}

own() {
  har prepare synthetic paths.data_dir=v010/raw seed=7 workers=1 'synthetic.size=[128,72]' 'synthetic.actions=[10,23]' \
    'synthetic.subjects=[1,2,3]' synthetic.replications=1 synthetic.cameras_per_sample=1
  for action in A010:clapping A023:"hand waving"; do
    mkdir -p "v010/own_run/data/${action#*:}"
    for video in v010/raw/ntu/nturgb+d_rgb/*"${action%%:*}"_rgb.avi; do
      clip=$(basename "$video" _rgb.avi)
      cp "$video" "v010/own_run/data/${action#*:}/$clip.avi"
      case $clip in *P001*|*P003*) # persons 1 and 3 have skeletons
        cp "v010/raw/ntu/nturgb+d_skeletons/$clip.skeleton" "v010/own_run/data/${action#*:}/$clip.skeleton";;
      esac
    done
  done
  (cd v010/own_run/data && ls -d */*P003*.avi) > v010/own_run/data/test.txt
  har prepare actions paths.data_dir=v010/own_run/data workers=1 actions.longest_side_px=58 actions.jpeg_quality=40 actions.max_seconds=1 actions.frames_per_second=5
  har prepare boxes paths.data_dir=v010/own_run/data weights=v010/ntu_run/last.ckpt boxes.device=cpu
  train v010/own_run/run experiment=own_actions paths.data_dir=v010/own_run/data weights=v010/ntu_run/last.ckpt \
    "${SMALL[@]}" model.num_pyramids=1 'model.action_pyramids=[1]' data.clip_size=4 data.step=1 data.batch_size=2 data.frame_batch_size=8 data.boxes=predicted \
    'data.augmentation.steps=[1,2]' model.num_pose_features=16 model.num_visual_features=16 \
    module.phases.frozen.epochs=1 module.phases.frozen.steps_per_epoch=20
  slim v010/own_run/run/checkpoints/last.ckpt v010/own_run/last.ckpt
  evaluate v010/own_run/evaluate ckpt_path=v010/own_run/last.ckpt
}

merge() { # its sizes are fixed (9.6 million weights): slim.py lets large weights share few values
  train v010/merge_run/run experiment=demo_merge paths.data_dir=v010/ntu_run/data 'data.actions=[22,43]' 'data.val_subjects=[]' \
    'data.resolution=[32,32]' data.num_workers=0 data.clip_size=8 data.step=2 data.batch_size=1 data.frame_batch_size=2 \
    data.eval_batch_size=2 model.num_actions=2 test=false module.phases.pose.epochs=1 module.phases.pose.steps_per_epoch=2 \
    module.phases.frozen.epochs=1 module.phases.frozen.steps_per_epoch=2 module.phases.full.epochs=1 module.phases.full.steps_per_epoch=1
  slim v010/merge_run/run/checkpoints/last.ckpt v010/merge_run/last.ckpt share
  evaluate v010/merge_run/evaluate ckpt_path=v010/merge_run/last.ckpt
}

pretrain() { # one data folder with ntu/ and mpii/
  mkdir -p v010/pretrain_run/data
  ln -sfn ../../ntu_run/data/ntu v010/pretrain_run/data/ntu
  ln -sfn ../../mpii_run/data/mpii v010/pretrain_run/data/mpii
  train v010/pretrain_run/run experiment=demo_pretrain paths.data_dir=v010/pretrain_run/data "${SMALL[@]}" data.mpii.batch_size=4 \
    data.mpii.val_persons=0 data.ntu.frame_batch_size=4 'data.ntu.val_subjects=[]' data.ntu.clip_size=4 model.num_pyramids=1 \
    module.phases.pose.epochs=1 module.phases.pose.steps_per_epoch=20
  slim v010/pretrain_run/run/checkpoints/last.ckpt v010/pretrain_run/last.ckpt share
  evaluate v010/pretrain_run/evaluate ckpt_path=v010/pretrain_run/last.ckpt
}

collect() {
  local v=v010 run folder
  for run in ntu_run mpii_run own_run merge_run pretrain_run; do
    rm -rf "${OUT:?}/$run"; mkdir -p "$OUT/$run"
    cp $v/$run/last.ckpt $v/$run/run/config.yaml "$OUT/$run/"
    for folder in $v/$run/evaluate*; do
      local name=$(basename "$folder"); name=metrics${name#evaluate}.json
      cp "$folder/metrics.json" "$OUT/$run/$name"
    done
  done
  mkdir -p "$OUT/ntu_run/data/ntu" "$OUT/mpii_run/data/mpii" "$OUT/own_run/data"
  cp -r $v/ntu_run/data/ntu/prepared "$OUT/ntu_run/data/ntu/"
  cp -r $v/mpii_run/data/mpii/prepared $v/mpii_run/data/mpii/images "$OUT/mpii_run/data/mpii/"
  cp -r $v/own_run/data/prepared "$OUT/own_run/data/"
  cp $v/ntu_run/{last.safetensors,last.onnx,clip.avi,answers.npz} "$OUT/ntu_run/"
  cp $v/ntu_run/predict/{poses.npz,actions.csv,summary.json} "$OUT/ntu_run/"
  cp $v/ntu_run/run/metrics.json "$OUT/ntu_run/metrics_of_training.json"
}

for step in $STEPS; do $step; done
echo "Built in $BUILD, collected in $OUT"
