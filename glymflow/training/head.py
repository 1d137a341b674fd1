"""Training of the head network on synthetic heads: ``glymflow train-head`` (extra ``training``).

Brain, its tissue and the regions for EPVS, in heads of any contrast. docs/brain.md says more.
"""

import json
import time
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np

from glymflow.phantom_head import CLASSES, SHAPE, load_head, make_head
from glymflow.training import command

FOLDER = Path(__file__).parent  # holds the label maps of maps/make_heads.py
HEADS = ("head_colin27", "head_template")
SEED, STEPS = 1, 4000  # those of the shipped weights; one head a step
BASE = 8  # channels of the network's first block
RATE, DECAY = 2e-3, 1e-4
SAVE_EVERY = 500


def head(seed, step):
    """Return the image and the classes of one step (`glymflow.phantom_head.make_head`)."""
    rng = np.random.default_rng((seed, step))
    return make_head(_label_map(HEADS[rng.integers(len(HEADS))]), rng)


@cache
def _label_map(name):
    return load_head(FOLDER / f"{name}.nii.gz")


def heads(seed, steps, workers=0):
    """Yield the heads of all steps in order, made here or by other processes."""
    if not workers:
        for step in range(steps):
            yield head(seed, step)
        return
    with ProcessPoolExecutor(workers) as pool:
        ahead = 2 * workers
        waiting = [pool.submit(head, seed, step) for step in range(min(ahead, steps))]
        for step in range(steps):
            yield waiting.pop(0).result()
            if step + ahead < steps:
                waiting.append(pool.submit(head, seed, step + ahead))


def train(folder, *, seed=SEED, steps=STEPS, workers=0, tell=print):
    """Train the network; write ``head.onnx`` and ``head.json``.

    Parameters
    ----------
    folder : path-like
    seed : int
        Of the heads and the first weights.
    steps : int
    workers : int
        Processes that make heads; 0 makes them in this one. The result is the same.
    tell : callable
        Takes a line on the progress.
    """
    import torch

    from glymflow.training.vb_net import VBNet, dice_focal_loss

    device, layout = "cuda" if torch.cuda.is_available() else "cpu", torch.channels_last_3d
    torch.manual_seed(seed)
    network = VBNet(3, 1, len(CLASSES), BASE).to(device, memory_format=layout).train()
    optimiser = torch.optim.AdamW(network.parameters(), RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, steps, pct_start=0.05)
    began, losses = time.monotonic(), []
    for step, (image, share) in enumerate(heads(seed, steps, workers), start=1):
        image = torch.from_numpy(image[None, None]).to(device, memory_format=layout)
        with torch.autocast(device, dtype=torch.bfloat16):
            logits = network(image)
        loss = dice_focal_loss(logits.float(), torch.from_numpy(share[None]).to(device))
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        losses.append(loss.item())
        hours = (time.monotonic() - began) / 3600
        if step % 100 == 0 or step == steps:
            tell(f"step {step}/{steps}  loss {np.mean(losses[-100:]):.3f}  {hours:.2f} h")
        if step % SAVE_EVERY == 0 or step == steps:
            about = {"seed": seed, "steps": step, "of_steps": steps, "base": BASE}
            save(network, folder, about | {"hours": round(hours, 2), "device": device})


def save(network, folder, about):
    """Write a network and what it was trained with as ``head.onnx`` and ``head.json``."""
    import copy

    import torch

    from glymflow.training.vb_net import export

    about = {
        "network": "VB-Net, 3-D, 2 mm",
        "trained_on": "synthetic heads only (glymflow.phantom_head)",
        "classes": " ".join(CLASSES),
        **about,
    }
    plain = copy.deepcopy(network).to("cpu", memory_format=torch.contiguous_format)
    export(plain, torch.zeros(1, 1, *SHAPE), Path(folder) / "head.onnx", about)
    (Path(folder) / "head.json").write_text(json.dumps(about, indent=2) + "\n")


def add_arguments(parser):
    """Declare the options of ``glymflow train-head``."""
    command.add_arguments(parser, "head", "heads", SEED, STEPS)


def run(args):
    """Train; needs torch and onnx."""
    return command.run(args, train)
