"""Training of the EPVS network on phantoms: ``glymflow train-epvs`` (extra ``training``).

The phantoms of `glymflow.phantoms.epvs` come as slabs; crops of slices of the latest ones, each
seen with its two neighbours on both sides, train a 2-D VB-Net: docs/notes/epvs-training.md.
"""

import json
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from glymflow.phantoms import epvs as phantom_epvs
from glymflow.training import command

SEED, STEPS = 1, 20000
BASE, FINE = 16, 2  # channels of the network's first block, units at full resolution
NEIGHBOURS = 2  # slices above and below that the network sees
SLAB = 32  # slices of a phantom
SLICES = (20, 156)  # of a whole head, those that hold brain
KINDS = ("train_still", "train", "train")  # phantoms of each deformed head
PER_HEAD = len(KINDS)
BATCH, CROP = 8, 112
KEPT = 48  # phantoms from which the crops are taken
STEPS_PER_PHANTOM = 12
RATE, DECAY = 2e-3, 1e-3
DICE, ENTROPY = 0.2, 20.0  # weights in the loss; with much of the Dice loss, objects come out large
EMPTY = 0.12  # share of the phantoms without EPVS
ANATOMIES = (phantom_epvs.template_anatomy, phantom_epvs.colin27_anatomy)  # in turn
NORM_BATCHES = 200  # by which the means and variances of BatchNorm are set in the end
ALONE = 0.18  # share of the crops with T1 only, and of those with T2 only


def slabs(seed):
    """Return the slabs of one deformed head, each with a contrast and objects of its own.

    Returns
    -------
    list of (images, truth, chosen, still)
        (2, X, Y, Z) float16 array of T1 and T2, (X, Y, Z) bool array, and (n, 3) int16 array of
        voxels of EPVS, lacunes and vessels round which crops are taken. In the first slab the T2
        lies exactly on the T1 (`still`): only there may the T1 be left out, as the truth is its.
    """
    rng = np.random.default_rng([seed, 2])
    start = int(rng.integers(SLICES[0], SLICES[1] - SLAB))
    part = (start, start + SLAB)
    anatomy = ANATOMIES[seed % len(ANATOMIES)]()
    heads = phantom_epvs.draw_heads(seed, anatomy, "train", part)
    made = []
    for k, kind in enumerate(KINDS):
        kind = "train_none" if rng.random() < EMPTY else kind
        phantom = phantom_epvs.make_phantom(
            PER_HEAD * seed + k, anatomy=anatomy, setting=kind, slices=part, head=heads
        )
        images = np.stack([phantom.t1, phantom.t2]).astype(np.float16)
        truth = phantom.labels > 0
        chosen = [np.argwhere(truth), np.argwhere(phantom.distractors >= 2)]
        chosen = [part[rng.permutation(len(part))[:300]] for part in chosen]
        brain = np.argwhere(phantom.mask[::4, ::4, ::4]) * 4
        chosen.append(brain[rng.permutation(len(brain))[:600]])
        made.append((images, truth, np.concatenate(chosen).astype(np.int16), kind == KINDS[0]))
    return made


def batch(kept, rng):
    """Return crops of slices: (`BATCH`, 10, `CROP`, `CROP`) float32, and (`BATCH`, ...) int64.

    `kept` holds phantoms as from `slabs`. The crops are mirrored, stretched in contrast and robbed
    of one of both images at random.
    """
    inputs = np.empty((BATCH, 2, 2 * NEIGHBOURS + 1, CROP, CROP), dtype=np.float32)
    truths = np.empty((BATCH, CROP, CROP), dtype=np.int64)
    for k, which in enumerate(rng.choice(len(kept), BATCH, replace=len(kept) < BATCH)):
        images, truth, chosen, still = kept[which]
        at = chosen[rng.integers(len(chosen))] - CROP // 2
        shift = rng.integers(-CROP // 3, CROP // 3 + 1, 2)
        at = at + np.array([*shift, CROP // 2 + rng.integers(-2, 3)])
        least, most = [0, 0, NEIGHBOURS], np.array(truth.shape) - [CROP, CROP, NEIGHBOURS + 1]
        x, y, z = np.clip(at, least, most)
        around = slice(z - NEIGHBOURS, z + NEIGHBOURS + 1)
        crop = np.moveaxis(images[:, x : x + CROP, y : y + CROP, around], -1, 1)
        target = truth[x : x + CROP, y : y + CROP, z]
        steps = rng.choice([1, -1], 3)
        crop = crop[:, :: steps[0], :: steps[1], :: steps[2]]
        inputs[k] = _altered(crop.astype(np.float32), rng, still)
        truths[k] = target[:: steps[1], :: steps[2]]
    return inputs.reshape(BATCH, -1, CROP, CROP), truths


def _altered(crop, rng, still):
    """Bend and stretch the grey scale of each image a little; leave one of them out at times."""
    brain = crop > -1
    for image, inside in zip(crop, brain, strict=True):
        bent = np.abs((image + 1) / 2) ** np.exp(rng.uniform(-0.25, 0.25)) * 2 - 1
        bent = bent * rng.uniform(0.92, 1.08) + rng.uniform(-0.08, 0.08)
        image[:] = np.where(inside, np.clip(bent, -1, 1), -1)
    if rng.random() < ALONE:
        crop[1] = -1
    elif still and rng.random() < PER_HEAD * ALONE / (1 - ALONE):
        crop[0] = -1
    return crop


def phantoms(seed, heads, workers=0):
    """Yield the slabs of `heads` deformed heads in order, made here or by other processes."""
    seeds = [100_000 * seed + k for k in range(heads)]
    if not workers:
        for one in seeds:
            yield from slabs(one)
        return
    with ProcessPoolExecutor(workers) as pool:
        ahead = 2 * workers
        waiting = [pool.submit(slabs, one) for one in seeds[:ahead]]
        for k in range(heads):
            yield from waiting.pop(0).result()
            if k + ahead < heads:
                waiting.append(pool.submit(slabs, seeds[k + ahead]))


def train(folder, *, seed=SEED, steps=STEPS, workers=0, base=BASE, tell=print, save_every=1000):
    """Train the network; write ``epvs.onnx`` and ``epvs.json``.

    Parameters
    ----------
    folder : path-like
    seed : int
        Of the phantoms, the crops and the first weights.
    steps : int
    workers : int
        Processes that make phantoms; 0 makes them in this one. The result is the same.
    base : int
        Channels of the network's first block.
    tell : callable
        Takes a line on the progress.
    save_every : int
        Steps between two writings of what has been learnt so far.
    """
    import torch

    from glymflow.training.vb_net import VBNet, dice_focal_loss

    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(seed)
    network = VBNet(2, 2 * (2 * NEIGHBOURS + 1), 2, base=base, fine=FINE)
    network = network.to(device, memory_format=torch.channels_last)
    # the logits of the background start ahead, as nearly all voxels are background
    torch.nn.init.constant_(network.last.bias, 0)
    network.last.bias.data[0] = 3.0
    optimiser = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, max_lr=RATE, total_steps=steps, pct_start=0.05
    )
    rng = np.random.default_rng([seed, 3])
    heads = -(-(-(-steps // STEPS_PER_PHANTOM) + 1) // PER_HEAD)
    source, kept, began, mean = phantoms(seed, heads, workers), [], time.monotonic(), None
    for step in range(steps):
        if step % STEPS_PER_PHANTOM == 0:
            kept = [*kept, next(source)][-KEPT:]
        inputs, truths = (torch.from_numpy(part).to(device) for part in batch(kept, rng))
        inputs = inputs.contiguous(memory_format=torch.channels_last)
        with torch.autocast(device, dtype=torch.bfloat16):
            logits = network(inputs)
        logits = logits.float()
        loss = DICE * dice_focal_loss(logits, truths)
        loss = loss + ENTROPY * torch.nn.functional.cross_entropy(logits, truths)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        mean = loss.item() if mean is None else 0.98 * mean + 0.02 * loss.item()
        hours = (time.monotonic() - began) / 3600
        if (step + 1) % 50 == 0:
            tell(f"step {step + 1}/{steps}  loss {mean:.3f}  {hours:.2f} h")
        if step + 1 == steps:
            settle(network, kept, rng, device)
        if (step + 1) % save_every == 0 or step + 1 == steps:
            about = {"seed": seed, "steps": step + 1, "of_steps": steps, "base": base}
            save(network, folder, about, {"hours": round(hours, 2), "device": device})


def settle(network, kept, rng, device):
    """Take the means and variances of BatchNorm anew, over many batches.

    While training they are those of the last few batches, each of a few contrasts.
    """
    import torch

    norms = [part for part in network.modules() if isinstance(part, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean
    with torch.no_grad(), torch.autocast(device, dtype=torch.bfloat16):
        for _ in range(NORM_BATCHES):
            network(torch.from_numpy(batch(kept, rng)[0]).to(device))


def save(network, folder, about, circumstances):
    """Write a network and what it was trained with as ``epvs.onnx`` and ``epvs.json``.

    The circumstances (hours, device) stand in ``epvs.json`` only, so that the same training gives
    the same ``epvs.onnx``.
    """
    import copy

    import torch

    from glymflow.training.vb_net import export

    about = {
        "network": "VB-Net, 2-D, 5 slices of T1 and of T2",
        "trained_on": "synthetic phantoms only (glymflow.phantoms.epvs)",
        "generator": phantom_epvs.GENERATOR,
        **about,
    }
    plain = copy.deepcopy(network).to("cpu", memory_format=torch.contiguous_format)
    example = torch.zeros(1, 2 * (2 * NEIGHBOURS + 1), 32, 32)
    export(plain, example, Path(folder) / "epvs.onnx", about)
    (Path(folder) / "epvs.json").write_text(json.dumps(about | circumstances, indent=2) + "\n")


def add_arguments(parser):
    """Declare the options of ``glymflow train-epvs``."""
    command.add_arguments(parser, "epvs", "phantoms", SEED, STEPS)


def run(args):
    """Train; needs torch and onnx."""
    return command.run(args, train)
