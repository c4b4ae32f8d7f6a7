"""A smaller copy of a checkpoint: slim.py FROM TO [keep-optimizer|share].

Without a word the optimiser's and scheduler's state is left out. ``share``: besides, weights with
more than 64 values become overlapping views of a few thousand random values (seed 0), which
``torch.save`` stores once; they load as any other tensors do.
"""

import math
import sys

import torch

source, target, *words = sys.argv[1:]
checkpoint = torch.load(source, map_location="cpu", weights_only=True)
if "keep-optimizer" not in words:
    checkpoint["optimizer_states"], checkpoint["lr_schedulers"] = [], []
if "share" in words:
    torch.manual_seed(0)
    unit = torch.randn(1200)
    scaled = {}
    positive = torch.rand(1200) + 0.5

    def shared(name, value):
        if value.numel() <= 64 or not value.is_floating_point():
            return value.clone()
        if value.dim() == 1:
            if name.endswith(("running_var", ".weight")):
                values = positive
            else:
                values = scaled.setdefault(-4, unit * 2.0**-4)
        else:
            fan_in = value[0].numel()
            power = round(math.log2(math.sqrt(1.0 / fan_in)))
            values = scaled.setdefault(power, unit * 2.0**power)
        # strides as large as the values allow
        sizes = [size for size in value.shape if size > 1]
        room = len(values) - 1 - sum(size - 1 for size in sizes)
        strides = [
            0 if size == 1 else 1 + max(0, room // (len(sizes) * (size - 1)))
            for size in value.shape
        ]
        return torch.as_strided(values, value.shape, strides)

    state = checkpoint["state_dict"]
    checkpoint["state_dict"] = {k: shared(k, v) for k, v in state.items()}
torch.save(checkpoint, target)
