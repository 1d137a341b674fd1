"""Training of the head network on synthetic heads: ``glymflow train-head`` (extra ``training``).

Brain, its tissue and the regions for EPVS, in heads of any contrast. docs/notes/networks.md.

Each step sees one head, so that BatchNorm learns with the mean and variance of that head, and runs
later with those of all heads: not the same network. So the norms are folded into the convolutions
after the first part of the training, and the other parts train what will run.
"""

import json
import time
from collections import deque
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from itertools import islice
from pathlib import Path

import numpy as np

from glymflow.image.region_map import EPVS_REGIONS
from glymflow.phantoms.contrasts import CLASSES, SHAPE, load_head, make_head
from glymflow.training import command

FOLDER = Path(__file__).parents[1] / "phantoms" / "data"  # label maps of maps/make_heads.py
HEADS = ("head_colin27", "head_template")
# steps and learning rate of each part of the training, of the shipped weights; one head a step
PARTS = ((4000, 2e-3), (2500, 1e-3), (2500, 6e-4))
SEED, STEPS = 1, sum(count for count, _ in PARTS)
CALIBRATED = 64  # heads by which the regions get their true volume
BASE = 8  # channels of the network's first block
DECAY = 1e-4
SAVE_EVERY = 500
REGIONS = [k for k, name in enumerate(CLASSES) if name in EPVS_REGIONS]
NEAR = 6.0  # below the highest logit; what is farther is not won by any shift
GAIN, ROUNDS = 0.7, 200  # of the search for the shifts


def head(seed, step):
    """Return the image and the classes of one step (`glymflow.phantoms.contrasts.make_head`)."""
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

    from glymflow.training.vb_net import VBNet, fold_norms

    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(seed)
    network = VBNet(3, 1, len(CLASSES), BASE).to(device, memory_format=torch.channels_last_3d)
    began, done = time.monotonic(), 0
    examples = heads(seed, steps, workers)
    for count, rate in _parts(steps):
        if done:
            fold_norms(network.eval())
        for loss in _train_part(network.train(), islice(examples, count), count, rate, device):
            done += 1
            hours = (time.monotonic() - began) / 3600
            if done % 100 == 0 or done == steps:
                tell(f"step {done}/{steps}  loss {loss:.3f}  {hours:.2f} h")
            about = {"seed": seed, "steps": done, "of_steps": steps, "base": BASE}
            about |= {"hours": round(hours, 2), "device": device}
            if done % SAVE_EVERY == 0:
                save(network, folder, about)
    examples.close()
    about |= calibrate(network.eval(), seed + 1, device)
    save(network, folder, about)
    tell(f"midbrain's logits lower by {about['shift_midbrain']:.2f}")


def _parts(steps):
    """Return steps and rate of each part of a training of another length, the first at least 1."""
    counts = [round(steps * count / STEPS) for count, _ in PARTS[1:]]
    counts = [steps - sum(counts), *counts]
    return [(n, rate) for n, (_, rate) in zip(counts, PARTS, strict=True) if n]


def _train_part(network, examples, count, rate, device):
    """Train a step with each example; yield the mean loss of the last hundred."""
    import torch

    from glymflow.training.vb_net import dice_focal_loss

    optimiser = torch.optim.AdamW(network.parameters(), rate, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, count, pct_start=0.05)
    losses = deque(maxlen=100)
    for image, share in examples:
        image = torch.from_numpy(image[None, None])
        image = image.to(device, memory_format=torch.channels_last_3d)
        with torch.autocast(device, dtype=torch.bfloat16):
            logits = network(image)
        loss = dice_focal_loss(logits.float(), torch.from_numpy(share[None]).to(device))
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        losses.append(loss.item())
        yield np.mean(losses)


def calibrate(network, seed, device, count=CALIBRATED):
    """Shift the logits of the regions so that they have their true volume in new heads.

    The loss rewards a small region that is drawn too large where its border is not seen. The
    shifts become part of the last layer.

    Parameters
    ----------
    network : VBNet
        Its last layer is changed.
    seed : int
        Of the heads; another than the training's.
    device : str
    count : int
        Heads.

    Returns
    -------
    dict
        ``shift_<region>``: what was taken from the logits.
    """
    import torch

    found, true = [], np.zeros(len(REGIONS))
    for image, share in heads(seed, count):
        image = torch.from_numpy(image[None, None])
        with torch.no_grad():
            logits = network(image.to(device, memory_format=torch.channels_last_3d))
        logits = logits[0].float().cpu().numpy()
        near = logits[REGIONS].max(axis=0) > logits.max(axis=0) - NEAR
        found.append(logits[:, near])
        true += share[REGIONS].sum(axis=(1, 2, 3))
    shift = shifts_to(np.concatenate(found, axis=1), true)
    with torch.no_grad():
        network.last.bias -= torch.from_numpy(shift).to(device)
    return {f"shift_{CLASSES[k]}": round(float(shift[k]), 3) for k in REGIONS}


def shifts_to(logits, true):
    """Return the shift of each class at which the regions win as many voxels as they should.

    Parameters
    ----------
    logits : (classes, K) array
    true : (regions,) array
        Voxels.

    Returns
    -------
    (classes,) float32 array
        To take from the logits; 0 for what is no region.
    """
    shift = np.zeros(len(CLASSES), dtype=np.float32)
    for _ in range(ROUNDS):
        won = np.bincount((logits - shift[:, None]).argmax(axis=0), minlength=len(CLASSES))
        shift[REGIONS] += GAIN * np.log(np.maximum(won[REGIONS], 1) / np.maximum(true, 1))
    return shift


def save(network, folder, about):
    """Write a network and what it was trained with as ``head.onnx`` and ``head.json``."""
    import copy

    import torch

    from glymflow.training.vb_net import export

    about = {
        "network": "VB-Net, 3-D, 2 mm",
        "trained_on": "synthetic heads only (glymflow.phantoms.contrasts)",
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
