"""The domains that are measured, in the order in which a cohort is searched for them."""

from glymflow.alps.domain import ALPS
from glymflow.epvs.domain import EPVS
from glymflow.lesions.domain import LESIONS

DOMAINS = (ALPS, LESIONS, EPVS)
