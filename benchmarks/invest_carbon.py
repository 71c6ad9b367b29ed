"""InVEST Carbon as its users run it: one land-cover map, a table of four pools, four pool maps, their sum and a summary.

    PYTHON_WITH_INVEST benchmarks/invest_carbon.py landcover.tif pools.csv OUT_DIR WORKERS

To be run by a Python that has ``natcap.invest``, which need not be ours. WORKERS as InVEST counts them: −1 for none beside the
process itself, else how many processes.
"""

from __future__ import annotations

import logging
import sys

from natcap.invest.carbon import carbon

if __name__ == "__main__":
    landcover, pools, out, workers = sys.argv[1:]
    logging.basicConfig(level=logging.ERROR)
    carbon.execute(
        {
            "workspace_dir": out,
            "results_suffix": "",
            "lulc_bas_path": landcover,
            "calc_sequestration": False,
            "lulc_alt_path": "",
            "carbon_pools_path": pools,
            "do_valuation": False,
            "n_workers": int(workers),
        }
    )
