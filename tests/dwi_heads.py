"""A small head whose signal is known at any point of the world, for the tests of corrections."""

import numpy as np
from scipy.spatial.transform import Rotation

from glymflow.dwi.motion import small_pose
from glymflow.image.grid import map_points

CENTRE = np.array([4.0, -6.0, 9.0])
RADII = np.array([38.0, 46.0, 34.0])


def spread(count, seed=0):
    """Unit vectors, evenly spread (a spiral on half a sphere), turned at random."""
    k = np.arange(count) + 0.5
    z, angle = k / count, np.pi * (1 + 5**0.5) * k
    vectors = np.stack([np.cos(angle), np.sin(angle)], axis=1) * np.sqrt(1 - z**2)[:, None]
    turn = Rotation.random(random_state=seed).as_matrix()
    return np.column_stack([vectors, z]) @ turn.T


class SmallHead:
    """Blobs of isotropic and anisotropic tissue in an ellipsoid with a soft edge."""

    def __init__(self, seed=0, blobs=100):
        rng = np.random.default_rng(seed)
        self.places = rng.uniform(-0.8, 0.8, (blobs, 3)) * RADII
        self.widths = rng.uniform(3.5, 8, blobs)
        self.density = rng.uniform(-0.4, 0.9, blobs)
        axes = rng.normal(size=(blobs, 3))
        self.axes = axes / np.linalg.norm(axes, axis=1, keepdims=True)

    def __call__(self, points, bval, direction):
        """Signal at (V, 3) points of the head (its own world), b in s/mm^2."""
        signal = np.zeros(len(points))
        local = points - CENTRE
        radius = np.linalg.norm(local / RADII, axis=1)
        near = radius < 1.2
        local, radius = local[near].astype(np.float32), radius[near]
        away = np.sum(local**2, axis=1)[:, None] + np.sum(self.places**2, axis=1)
        away -= 2 * local @ self.places.T.astype(np.float32)
        blobs = np.exp(-away / (2 * self.widths**2))
        s0 = 1000 * np.maximum(1 + blobs @ self.density, 0.2) / (1 + np.exp((radius - 1) * 40))
        along = (self.axes @ direction) ** 2
        turned = blobs @ (along - 0.33) / np.maximum(blobs.sum(axis=1), 0.5)
        signal[near] = s0 * np.exp(-bval * (0.7e-3 + 0.12e-3 * turned))
        return signal


class SmallScan:
    """A scan of the small head: poses, eddy currents and lost slices as given."""

    def __init__(self, poses, bvals, directions, *, size=(4.0, 4.0, 4.5), eddy=None, axes=None,
                 noise=5.0, seed=0):  # fmt: skip
        self.head = SmallHead(seed)
        self.poses, self.bvals, self.directions = poses, np.asarray(bvals, float), directions
        linear = np.diag([-size[0], size[1], size[2]]) if axes is None else axes
        shape = np.ceil(2 * (RADII + 22) / size).astype(int) if axes is None else (30, 32, 28)
        self.affine = np.eye(4)
        self.affine[:3, :3] = linear
        self.affine[:3, 3] = CENTRE - linear @ (np.array(shape) - 1) / 2
        self.world = map_points(self.affine, np.indices(shape).reshape(3, -1).T)
        self.shape = tuple(int(n) for n in shape)
        local = np.linalg.norm((self.world - CENTRE) / RADII, axis=1)
        self.mask = (local < 1).reshape(self.shape)
        self.eddy = np.zeros((len(poses), 3)) if eddy is None else eddy
        rng = np.random.default_rng(seed)
        volumes = [self._volume(number) for number in range(len(poses))]
        clean = np.stack(volumes, axis=-1).reshape(*self.shape, -1)
        self.data = np.hypot(
            clean + rng.normal(0, noise, clean.shape), rng.normal(0, noise, clean.shape)
        ).astype(np.float32)

    def _volume(self, number):
        e = self.eddy[number]
        world = self.world.copy()  # phase encoding along the world's y
        world[:, 1] -= (world - CENTRE) @ e / (1 + e[1])
        still = map_points(np.linalg.inv(self.poses[number]), world)
        direction = self.poses[number][:3, :3].T @ self.directions[number]
        return self.head(still, self.bvals[number], direction) / (1 + e[1])


def small_scan(count=12, *, move=2.0, seed=0, n_b0=2, eddy=0.0, **options):
    """A scan of `count` directions with moves of about `move` mm; the median DWI pose is none."""
    rng = np.random.default_rng([seed, 7])
    directions = np.vstack([np.zeros((n_b0, 3)), spread(count, seed)])
    bvals = np.r_[np.zeros(n_b0), np.full(count, 1000.0)]
    steps = move * rng.normal(size=(n_b0 + count, 6)) * ([0.6] * 3 + [0.015] * 3)
    steps -= np.median(steps[n_b0:], axis=0)
    poses = np.array([small_pose(step, CENTRE) for step in steps])
    shift = directions @ rng.normal(size=(3, 3)) * eddy
    return SmallScan(poses, bvals, directions, eddy=shift, seed=seed, **options)
