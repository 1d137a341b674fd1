"""Measure the lesions of a batch of sessions: volumes, side, location, quality control.

One job for many sessions: most of a job's time would be its start.
"""

import numpy as np
import pandas as pd

from glymflow.cohort.participants import EXCLUDED_COLUMNS
from glymflow.image.region_map import territory_map
from glymflow.io import InputFault, save_image, write_tsv
from glymflow.lesions import measure as lesions
from glymflow.lesions.domain import COLUMNS
from glymflow.lesions.session import measure_session


def main(*, sessions, transforms, settings, table, masks, excluded):
    """Write the batch's rows of ``lesions.tsv``, its masks in template space, and who is left out.

    Parameters
    ----------
    sessions : list of list of dict
        The masks of each session, rows of the sheet (`glymflow.lesions.intake.MASK_COLUMNS`).
    transforms : list of dict or None
        ``affine``, ``warp`` and ``inverse_warp`` of each session, as of `register_template`.
    settings : dict
        The config's `lesions`.
    table, excluded : path-like
        Written.
    masks : path-like
        Written: a 4-D image at 2 mm, one volume per row of `table`, empty where no way leads to
        the template.
    """
    territories, affine = territory_map()
    grid = lesions.coarse_grid(territories.shape, affine)
    rows, volumes, faults = [], [], []
    for drawn, found in zip(sessions, transforms, strict=True):
        ids = {key: drawn[0][key] for key in ("participant_id", "session_id")}
        try:
            row, volume = measure_session(drawn, found, settings, territories, affine, grid)
        except InputFault as fault:
            faults.append(ids | {"stage": "measurement", "reason": str(fault)})
            print(f"{drawn[0]['folder']}: {fault}", flush=True)
            continue
        rows.append(ids | row)
        volumes.append(volume)
    volumes = volumes or [np.zeros(grid[0], dtype=np.uint8)]  # an image has to have one
    save_image(np.stack(volumes, axis=-1).astype(np.uint8), grid[1], masks)
    write_tsv(pd.DataFrame(rows, columns=COLUMNS), table)
    write_tsv(pd.DataFrame(faults, columns=EXCLUDED_COLUMNS), excluded)
    print(f"{len(rows)} measured, {len(faults)} excluded")


if __name__ == "__main__":
    from glymflow.workflow.jobs import cohort_job

    with cohort_job(snakemake):
        files = iter(zip(*(snakemake.input[k] for k in ("affine", "warp", "inverse_warp")),
                         strict=True))  # fmt: skip
        main(
            sessions=snakemake.params.sessions,
            transforms=[
                dict(zip(("affine", "warp", "inverse_warp"), next(files), strict=True))
                if registered
                else None
                for registered in snakemake.params.registered
            ],
            settings=snakemake.params.settings,
            table=snakemake.output.table,
            masks=snakemake.output.masks,
            excluded=snakemake.output.excluded,
        )
