r"""Restricted maximum likelihood with random effects, and Satterthwaite's degrees of freedom.

The model is :math:`y = X \beta + \sum_k Z_k b_k + e` with a few factors k (participant, site,
slopes of participants), :math:`V = \sum_k \sigma_k^2 Z_k Z_k' + \sigma^2 I`. Own code:
`statsmodels` has no degrees of freedom, its standard errors differ from lmer's in the third digit,
and its fit with two factors does not converge (it leaves a factor's variance at 0 that is not).

References
----------
Patterson HD, Thompson R. Biometrika 1971;58:545-554. Satterthwaite FE. Biometrics Bulletin
1946;2:110-114. Fai AH, Cornelius PL. J Stat Comput Simul 1996;54:363-378. Kuznetsova A, Brockhoff
PB, Christensen RHB. lmerTest. J Stat Softw 2017;82(13).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize, sparse, stats

from glymflow.io import NoResult

NOTHING = 1e-6  # a variance of a factor below this share of the residual variance is none


@dataclass
class RemlFit:
    """A fitted model.

    Attributes
    ----------
    coefficients : (p,) array
    covariance : (p, p) array
        Of the coefficients, by generalised least squares at the variances found.
    variances : (m + 1,) array
        Of the factors and of the residuals.
    deviance : float
        -2 log restricted likelihood, with its constant, as lmer gives it.
    information : (m + 1, m + 1) array
        Second derivatives of the deviance; no rows of factors whose variance is 0.
    slopes : (m + 1, p, p) array
        Derivative of the covariance by each variance.
    present : (m + 1,) array of bool
        Which of the variances are above 0.
    """

    coefficients: np.ndarray
    covariance: np.ndarray
    variances: np.ndarray
    deviance: float
    information: np.ndarray
    slopes: np.ndarray
    present: np.ndarray

    def degrees(self, contrast: np.ndarray) -> float:
        """Return Satterthwaite's degrees of freedom of a contrast of the coefficients."""
        gradient = np.array([contrast @ slope @ contrast for slope in self.slopes])[self.present]
        spread = 2 * gradient @ np.linalg.solve(self.information, gradient)
        return float(2 * (contrast @ self.covariance @ contrast) ** 2 / spread)

    def f_test(self, columns: Sequence[int]) -> tuple[float, float, float]:
        """Test that some coefficients are 0: F, its second degrees of freedom, p.

        Fai and Cornelius' method, as `anova` of lmerTest.
        """
        rows = np.eye(len(self.coefficients))[list(columns)]
        values, vectors = np.linalg.eigh(rows @ self.covariance @ rows.T)
        contrasts = vectors.T @ rows
        t2 = (contrasts @ self.coefficients) ** 2 / values
        q = len(values)
        df = np.array([self.degrees(contrast) for contrast in contrasts])
        share = (df / (df - 2))[df > 2].sum()
        below = float(2 * share / (share - q)) if share > q else 2.0
        below = float(df[0]) if q == 1 else below
        f = float(t2.mean())
        return f, below, float(stats.f.sf(f, q, below))


class _Model:
    """The deviance and its derivatives, by the sparse matrix of the random effects (Woodbury)."""

    def __init__(self, y, x, factors, columns):
        self.y, self.x = y, x
        self.sizes = [int(factor.max()) + 1 for factor in factors]
        n, starts = len(y), np.concatenate([[0], np.cumsum(self.sizes)]).astype(int)
        own = [start + factor for start, factor in zip(starts, factors, strict=False)]
        places = (np.tile(np.arange(n), len(factors)), np.concatenate([*own, []]).astype(int))
        entries = np.concatenate([*columns, []])
        self.z = sparse.csr_array((entries, places), shape=(n, starts[-1]))
        self.cross = (self.z.T @ self.z).tocsc()
        self.blocks = np.repeat(np.arange(len(factors)), self.sizes)
        self.right = np.column_stack([x, y])
        self.z_right = self.z.T @ self.right
        self.own = self.right.T @ self.right

    def solve(self, variances):
        """Return M factored, the scales of its columns, and V^-1 between X and y."""
        scale = np.sqrt(variances[:-1] / variances[-1])[self.blocks]
        if not len(scale):
            return None, scale, self.own / variances[-1]
        spread = sparse.diags_array(scale)
        m = sparse.eye_array(len(scale)) + spread @ self.cross @ spread
        symmetric = {"diag_pivot_thresh": 0, "options": {"SymmetricMode": True}}
        factored = sparse.linalg.splu(m.tocsc(), permc_spec="MMD_AT_PLUS_A", **symmetric)
        scaled = scale[:, None] * self.z_right
        return factored, scale, (self.own - scaled.T @ factored.solve(scaled)) / variances[-1]

    def deviance(self, variances):
        """Return the deviance, the coefficients and the information of the coefficients."""
        n, p = self.x.shape
        factored, _, products = self.solve(variances)
        information = products[:p, :p]
        beta = np.linalg.solve(information, products[:p, p])
        rest = products[p, p] - products[:p, p] @ beta
        value = (n - p) * np.log(2 * np.pi) + n * np.log(variances[-1])
        value += np.linalg.slogdet(information)[1] + rest
        value += np.log(factored.U.diagonal()).sum() if factored else 0.0
        return float(value), beta, information

    def derivatives(self, variances):
        """Return gradient and Hessian of the deviance, and d covariance / d variances."""
        n, p = self.x.shape
        factored, scale, products = self.solve(variances)
        inverse = np.linalg.inv(products[:p, :p])
        error, factors = variances[-1], range(len(self.sizes))

        def solved(columns):
            return scale[:, None] * (factored.solve(scale[:, None] * columns) if factored else 0.0)

        def applied(columns):  # V^-1 times columns of length n
            return (columns - self.z @ solved(self.z.T @ columns)) / error

        vx = applied(self.x)
        cross = self.cross.toarray()
        zvz = (cross - self.cross @ solved(cross)) / error
        zvx = self.z.T @ vx
        zpz = zvz - zvx @ inverse @ zvx.T
        residual = applied((self.y - self.x @ (inverse @ products[:p, p]))[:, None])[:, 0]  # P y

        parts = [self.blocks == k for k in factors]
        traces = np.array([np.trace(zpz[np.ix_(part, part)]) for part in parts])
        double = [[(zpz[np.ix_(a, b)] ** 2).sum() for b in parts] for a in parts]
        double = np.array(double).reshape(len(parts), len(parts))
        # P V P = P gives the traces with the identity
        trace = np.append(traces, (n - p - variances[:-1] @ traces) / error)
        mixed = (traces - variances[:-1] @ double) / error
        both = np.block([[double, mixed[:, None]], [mixed[None, :], np.zeros((1, 1))]])
        both[-1, -1] = (trace[-1] - variances[:-1] @ mixed) / error

        pushed = [self.z[:, part] @ (self.z[:, part].T @ residual) for part in parts] + [residual]
        pushed = np.column_stack(pushed)  # V_i P y
        projected = applied(pushed) - vx @ (inverse @ (vx.T @ pushed))
        gradient = trace - residual @ pushed
        hessian = -both + 2 * pushed.T @ projected
        slopes = [inverse @ zvx[part].T @ zvx[part] @ inverse for part in parts]
        slopes.append(inverse @ vx.T @ vx @ inverse)
        return gradient, hessian, np.array(slopes)


def fit_reml(
    y: np.ndarray,
    x: np.ndarray,
    factors: Sequence[np.ndarray],
    slopes: Sequence[np.ndarray | float] | None = None,
) -> RemlFit:
    """Fit random intercepts and slopes, independent of each other, by restricted likelihood.

    Parameters
    ----------
    y : (n,) array
    x : (n, p) array
        With the constant.
    factors : list of (n,) array of int
        Codes 0, 1, ... of each factor.
    slopes : list of (n,) array or 1, optional
        The variable whose slope differs between the members of each factor; 1 for an intercept.

    Returns
    -------
    RemlFit

    Raises
    ------
    NoResult
        If the search does not converge.
    """
    scale = y.std()
    if not scale > 0:
        raise NoResult("the outcome is constant")
    columns = [np.broadcast_to(one, len(y)) for one in slopes or [1.0] * len(factors)]
    sizes = np.array([np.sqrt((one**2).mean()) for one in columns])
    columns = [one / size for one, size in zip(columns, sizes, strict=True)]
    model = _Model(y / scale, x, factors, columns)
    start = np.zeros(len(factors))
    found = optimize.minimize(
        lambda logs: _profiled(model, np.exp(np.clip(logs, -25, 25)))[0], start,
        method="Nelder-Mead" if len(start) > 1 else "Powell",
        options={"xatol": 1e-4, "fatol": 1e-8} if len(start) > 1 else {"xtol": 1e-5},
    )  # fmt: skip
    ratios = np.exp(np.clip(found.x, -25, 25))
    keep = np.flatnonzero(ratios > NOTHING)
    model = _Model(y / scale, x, [factors[k] for k in keep], [columns[k] for k in keep])
    variances = _newton(model, _profiled(model, ratios[keep])[1])
    deviance, beta, information = model.deviance(variances)
    _, hessian, changes = model.derivatives(variances)
    n, p = x.shape
    units = scale**2 / np.append(sizes, 1.0) ** 2  # of the variances
    kept = np.append(keep, len(factors))
    every, wide = np.zeros(len(units)), np.zeros((len(units), p, p))
    every[kept], wide[kept] = variances * units[kept], changes
    return RemlFit(
        coefficients=beta * scale,
        covariance=np.linalg.inv(information) * scale**2,
        variances=every,
        deviance=deviance + 2 * (n - p) * np.log(scale),
        information=hessian / np.outer(units[kept], units[kept]),
        slopes=wide * (scale**2 / units)[:, None, None],
        present=np.isin(np.arange(len(units)), kept),
    )


def _profiled(model, ratios):
    """Return the deviance at the best residual variance, and all variances there."""
    n, p = model.x.shape
    unit = np.append(ratios, 1.0)
    _, beta, _ = model.deviance(unit)
    _, _, products = model.solve(unit)
    rest = products[p, p] - products[:p, p] @ beta
    variances = unit * rest / (n - p)
    return model.deviance(variances)[0], variances


def _newton(model, variances):
    """Go to where the gradient of the deviance is 0."""
    for _ in range(50):
        gradient, hessian, _ = model.derivatives(variances)
        step = np.linalg.solve(hessian, gradient)
        while (variances - step <= 0).any():
            step = step / 2
        variances = variances - step
        if np.abs(step / variances).max() < 1e-10:
            if np.linalg.eigvalsh(hessian)[0] <= 0:
                break
            return variances
    raise NoResult("the fit of the mixed model does not converge")
