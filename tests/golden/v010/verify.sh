#!/usr/bin/env bash
# Evaluates these copies and compares with the metrics recorded here:  PYTHON=<python with har> ./verify.sh
set -euo pipefail
PYTHON=${PYTHON:-python}
FIX=$(cd "$(dirname "$0")" && pwd)
TMP=$(mktemp -d)
export OMP_NUM_THREADS=1 CUDA_VISIBLE_DEVICES=
cd "$TMP"
mkdir both && ln -s "$FIX/ntu_run/data/ntu" both/ntu && ln -s "$FIX/mpii_run/data/mpii" both/mpii
check() { # run metrics-file data-folder overrides...
  local run=$1 recorded=$2 data=$3; shift 3
  "$PYTHON" -m har.evaluate ckpt_path="$FIX/$run/last.ckpt" paths.data_dir="$data" trainer=cpu trainer.precision=32-true \
    fast=false callbacks.figures=null paths.output_dir="$TMP/outputs" hydra.run.dir="$TMP/run" "$@" > "$TMP/log" 2>&1 || { tail "$TMP/log"; exit 1; }
  "$PYTHON" - "$FIX/$run/$recorded" "$TMP/run/metrics.json" <<'P'
import json, math, sys
a, b = (json.load(open(p)) for p in sys.argv[1:])
def flat(v, k=""):
    items = v.items() if isinstance(v, dict) else enumerate(v) if isinstance(v, list) else None
    return {k: v} if items is None else {q: w for n, x in items for q, w in flat(x, f"{k}.{n}").items()}
x, y = flat([a["metrics"], a["protocol"]]), flat([b["metrics"], b["protocol"]])
assert x.keys() == y.keys(), x.keys() ^ y.keys()
bad = {k: (x[k], y[k]) for k in x if not (x[k] == y[k] or (isinstance(x[k], float) and math.isclose(x[k], y[k], rel_tol=1e-5)))}
bad.update({} if a["model"]["weights_sha256"] == b["model"]["weights_sha256"] else {"weights_sha256": "differs"})
print(sys.argv[1].split("/", sys.argv[1].count("/") - 1)[-1], "differs: " + str(bad) if bad else f"agrees, {len(x)} values")
P
}
check ntu_run metrics_single.json "$FIX/ntu_run/data" protocol=single
check ntu_run metrics_multi.json "$FIX/ntu_run/data" protocol=multi
check ntu_run metrics_boxes.json "$FIX/ntu_run/data" data.boxes=predicted
check mpii_run metrics.json "$FIX/mpii_run/data"
check mpii_run metrics_flip.json "$FIX/mpii_run/data" views=flip
check own_run metrics.json "$FIX/own_run/data"
check merge_run metrics.json "$FIX/ntu_run/data"
check pretrain_run metrics.json "$TMP/both"
"$PYTHON" -m har.predict source="$FIX/ntu_run/clip.avi" weights="$FIX/ntu_run/last.ckpt" out="$TMP/predict" fast=false device=cpu \
  video=false paths.output_dir="$TMP/outputs" > "$TMP/log" 2>&1
"$PYTHON" - "$FIX/ntu_run" "$TMP/predict" <<'P'
import sys
import numpy as np
a, b = (np.load(f"{p}/poses.npz") for p in sys.argv[1:])
for k in a:
    (np.testing.assert_allclose(a[k], b[k], rtol=1e-4, atol=1e-4) if a[k].dtype.kind == "f" else np.testing.assert_array_equal(a[k], b[k]))
assert open(f"{sys.argv[1]}/actions.csv").read() == open(f"{sys.argv[2]}/actions.csv").read()
print("ntu_run/poses.npz and actions.csv agree")
P
rm -rf "$TMP"
