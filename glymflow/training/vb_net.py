"""VB-Net in two or three dimensions, its loss, and its export to ONNX.

References
----------
Milletari F. et al. V-Net: fully convolutional neural networks for volumetric medical image
segmentation. 3DV (2016), 565-571.
Zhu W. et al. Automatic segmentation of white matter hyperintensities and ... (2022): V-Net with
bottlenecks, as described in the Alzheimer's disease paper.
Lin T. et al. Focal loss for dense object detection. ICCV (2017), 2980-2988.
"""

from itertools import pairwise

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

UNITS = (1, 2, 3, 3)  # residual units of the four levels below the input block
BOTTLENECK_FROM = 64  # channels from which a unit reduces by 4, convolves and restores


class _Layers:
    """The layers of a dimension, so that one definition serves two and three."""

    def __init__(self, dimensions):
        self.conv = {2: nn.Conv2d, 3: nn.Conv3d}[dimensions]
        self.up = {2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}[dimensions]
        self.norm = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}[dimensions]

    def block(self, channels_in, channels_out, size):
        return nn.Sequential(
            self.conv(channels_in, channels_out, size, padding=size // 2, bias=False),
            self.norm(channels_out),
            nn.ReLU(inplace=True),
        )


class Residual(nn.Module):
    """Units of convolutions around which the input is added; a bottleneck where it is wide."""

    def __init__(self, layers, channels, units):
        super().__init__()
        self.units = nn.ModuleList(self._unit(layers, channels) for _ in range(units))

    @staticmethod
    def _unit(layers, channels):
        if channels < BOTTLENECK_FROM:
            return layers.block(channels, channels, 3)[:2]
        inner = channels // 4
        return nn.Sequential(
            layers.block(channels, inner, 1),
            layers.block(inner, inner, 3),
            layers.block(inner, channels, 1)[:2],
        )

    def forward(self, x):
        """Return `x` after all units, of the same shape."""
        for unit in self.units:
            x = torch.relu(x + unit(x))
        return x


class VBNet(nn.Module):
    """V-shaped network with bottlenecks.

    Parameters
    ----------
    dimensions : {2, 3}
    channels : int
        Of the input.
    classes : int
        Of the output, the background included.
    base : int
        Channels of the input block; each of the four levels below doubles them.
    fine : int
        Residual units (at most 2) at full resolution, before the last layer: for small objects.
    """

    def __init__(self, dimensions, channels, classes, base=16, fine=0):
        super().__init__()
        layers = _Layers(dimensions)
        widths = [base * 2**level for level in range(len(UNITS) + 1)]
        self.first = layers.block(channels, base, 3)
        self.down, self.up, self.join = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for above, below, units in zip(widths, widths[1:], UNITS, strict=False):
            halve = nn.Sequential(
                layers.conv(above, below, 2, stride=2, bias=False),
                layers.norm(below),
                nn.ReLU(inplace=True),
            )
            self.down.append(nn.Sequential(halve, Residual(layers, below, units)))
            # half of the channels of a level come from below, half along the skip connection
            double = layers.up(below, above, 2, stride=2, bias=False)
            self.up.append(nn.Sequential(double, layers.norm(above), nn.ReLU(inplace=True)))
        for level, units in zip(range(len(UNITS)), (fine, *UNITS), strict=False):
            merge = layers.block(2 * widths[level], widths[level], 1 if level else 3)
            self.join.append(nn.Sequential(merge, Residual(layers, widths[level], min(units, 2))))
        self.last = layers.conv(base, classes, 1)

    def forward(self, x):
        """Return the logits, (N, classes, ...); each side of `x` is a multiple of 16."""
        skips = [self.first(x)]
        for down in self.down:
            skips.append(down(skips[-1]))
        x = skips.pop()
        for up, join, skip in reversed(list(zip(self.up, self.join, skips, strict=True))):
            x = join(torch.cat([up(x), skip], dim=1))
        return self.last(x)


def dice_focal_loss(logits, target, *, weights=None, gamma=2.0):
    """Return the mean Dice loss of the foreground classes plus the focal loss.

    Parameters
    ----------
    logits : (N, C, ...) tensor
    target : (N, ...) int64 tensor, or (N, C, ...) float tensor
        Class of each voxel, or the share of each class in it.
    weights : (N, ...) tensor, optional
        How much each voxel counts.
    gamma : float
        Of the focal loss.
    """
    probability = torch.softmax(logits, dim=1)
    if not target.is_floating_point():
        target = nn.functional.one_hot(target, logits.shape[1]).movedim(-1, 1).to(logits.dtype)
    counts = 1.0 if weights is None else weights.unsqueeze(1)
    space = (0, *range(2, logits.ndim))
    overlap = (counts * probability * target).sum(space)[1:]
    size = (counts * (probability + target)).sum(space)[1:]
    dice = 1 - (2 * overlap + 1) / (size + 1)
    log = torch.log_softmax(logits, dim=1)
    focal = -(counts * (target - probability).abs() ** gamma * target * log).sum(1)
    return dice.mean() + focal.mean()


def fold_norms(network):
    """Fold each BatchNorm into the convolution before it, as it runs after the training.

    Parameters
    ----------
    network : VBNet
        Changed in place; its answer in ``eval`` mode stays the same.
    """
    for block in network.modules():
        if not isinstance(block, nn.Sequential):
            continue
        for place, (conv, norm) in enumerate(pairwise(block), start=1):
            if isinstance(norm, nn.modules.batchnorm._BatchNorm):
                up = isinstance(conv, (nn.ConvTranspose2d, nn.ConvTranspose3d))
                conv.weight, conv.bias = fuse_conv_bn_weights(
                    conv.weight, conv.bias, norm.running_mean, norm.running_var, norm.eps,
                    norm.weight, norm.bias, transpose=up,
                )  # fmt: skip
                block[place] = nn.Identity()


class _WithSoftmax(nn.Module):
    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x):
        return torch.softmax(self.network(x), dim=1)


def export(network, example, path, about):
    """Write a network with its softmax as ONNX; all but the channels may change in size.

    Parameters
    ----------
    network : VBNet
    example : (N, C, ...) tensor
    path : path-like
    about : dict of str to str
        Metadata of the file: what it was trained on, seed, hours, classes.
    """
    import onnx

    axes = {0: "n", **{axis: f"side{axis}" for axis in range(2, example.ndim)}}
    torch.onnx.export(
        _WithSoftmax(network).eval(),
        (example,),
        str(path),
        input_names=["image"],
        output_names=["probability"],
        dynamic_axes={"image": axes, "probability": axes},
        opset_version=17,
        dynamo=False,
    )
    model = onnx.load(str(path))
    onnx.helper.set_model_props(model, {key: str(value) for key, value in about.items()})
    onnx.save(model, str(path))
