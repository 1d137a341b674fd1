"""The works that the text of the methods cites, as BibTeX."""

import urllib.parse
from collections.abc import Iterable

# as cited: (key, kind, fields)
WORKS = {
    "Taoka 2017": (
        "taoka2017",
        "Taoka, T. and Masutani, Y. and Kawai, H. and Nakane, T. and Matsuoka, K. and Yasuno, F."
        " and Kishimoto, T. and Naganawa, S.",
        "Evaluation of glymphatic system activity with the diffusion {MR} technique: diffusion"
        " tensor image analysis along the perivascular space ({DTI-ALPS}) in {Alzheimer's}"
        " disease cases",
        "Japanese Journal of Radiology",
        "35",
        "172--178",
        "10.1007/s11604-017-0617-z",
    ),
    "Avants 2008": (
        "avants2008",
        "Avants, B. B. and Epstein, C. L. and Grossman, M. and Gee, J. C.",
        "Symmetric diffeomorphic image registration with cross-correlation: evaluating automated"
        " labeling of elderly and neurodegenerative brain",
        "Medical Image Analysis",
        "12",
        "26--41",
        "10.1016/j.media.2007.06.004",
    ),
    "Fonov 2011": (
        "fonov2011",
        "Fonov, V. and Evans, A. C. and Botteron, K. and Almli, C. R. and McKinstry, R. C. and"
        " Collins, D. L.",
        "Unbiased average age-appropriate atlases for pediatric studies",
        "NeuroImage",
        "54",
        "313--327",
        "10.1016/j.neuroimage.2010.07.033",
    ),
    "Garyfallidis 2014": (
        "garyfallidis2014",
        "Garyfallidis, E. and Brett, M. and Amirbekian, B. and Rokem, A. and van der Walt, S. and"
        " Descoteaux, M. and Nimmo-Smith, I.",
        "{Dipy}, a library for the analysis of diffusion {MRI} data",
        "Frontiers in Neuroinformatics",
        "8",
        "8",
        "10.3389/fninf.2014.00008",
    ),
    "Veraart 2016": (
        "veraart2016",
        "Veraart, J. and Novikov, D. S. and Christiaens, D. and Ades-aron, B. and Sijbers, J. and"
        " Fieremans, E.",
        "Denoising of diffusion {MRI} using random matrix theory",
        "NeuroImage",
        "142",
        "394--406",
        "10.1016/j.neuroimage.2016.08.016",
    ),
    "Kellner 2016": (
        "kellner2016",
        "Kellner, E. and Dhital, B. and Kiselev, V. G. and Reisert, M.",
        "{Gibbs}-ringing artifact removal based on local subvoxel-shifts",
        "Magnetic Resonance in Medicine",
        "76",
        "1574--1581",
        "10.1002/mrm.26054",
    ),
    "Tustison 2010": (
        "tustison2010",
        "Tustison, N. J. and Avants, B. B. and Cook, P. A. and Zheng, Y. and Egan, A. and"
        " Yushkevich, P. A. and Gee, J. C.",
        "{N4ITK}: improved {N3} bias correction",
        "IEEE Transactions on Medical Imaging",
        "29",
        "1310--1320",
        "10.1109/TMI.2010.2046908",
    ),
}
FIELDS = ("author", "title", "journal", "volume", "pages", "doi")


def bibtex(texts: Iterable[str]) -> str:
    """Return BibTeX entries of the works that texts cite.

    Parameters
    ----------
    texts : iterable of str
        With citations such as ``(Taoka 2017)``.

    Returns
    -------
    str
        An entry for each work, in the order of `WORKS`; empty if none is cited.
    """
    text = " ".join(texts)
    return "\n".join(_entry(name, *work) for name, work in WORKS.items() if name in text)


def _entry(name, key, *values):
    fields = [*zip(FIELDS, values, strict=True), ("year", name.split()[-1])]
    lines = "".join(f"  {field} = {{{value}}},\n" for field, value in fields)
    return f"@article{{{key},\n{lines}}}\n"


def as_link(text: str) -> str | None:
    """Return a text as the address of a file that a page holds itself, None if there is none."""
    return "data:text/x-bibtex;charset=utf-8," + urllib.parse.quote(text) if text else None
