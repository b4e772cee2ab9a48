# What depends on what. `customerlab run params/acme.yaml` is a front to this file; Snakemake itself
# takes it too, for instance on a cluster:
#
#     snakemake --cores 4 --config params=params/acme.yaml
#
# Which notebooks there are, and what each reads and writes, is in src/customerlab/plan.py.

import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

from customerlab import plan
from customerlab.errors import CustomerlabError
from customerlab.params import load_params
from customerlab.paths import Paths
from customerlab.running import code_fingerprint, own_fingerprint, source_files

config.setdefault("options", "")
config.setdefault("checked", False)
FILES = config.get("params", [])
FILES = [FILES] if isinstance(FILES, str) else FILES
if not FILES:
    raise WorkflowError("For which client? Add: --config params=params/acme.yaml")

try:
    CLIENTS = [(file, load_params(Path(file))) for file in FILES]
    SOURCES = {params.client: source_files(params, Path(), file) for file, params in CLIENTS}
    # Spark's own tables are no files; the process of a single job need not ask for them again
    OWN = {
        params.client: own_fingerprint(params, file) if workflow.is_main_process else ""
        for file, params in CLIENTS
    }
except CustomerlabError as error:
    raise WorkflowError(str(error))
CODE = code_fingerprint(Path())


onstart:
    # what is wrong between the parameters and the files stops here, before a kernel starts
    from customerlab.checking import check

    try:
        for file in FILES if not config["checked"] else []:
            check(Path(file), Path())
    except CustomerlabError as error:
        raise WorkflowError(str(error))


rule all:
    # every output is asked for, so that one that was deleted is made again
    input:
        [
            path
            for _, params in CLIENTS
            for notebook in plan.planned(params)
            for path in plan.outputs(notebook, params, Paths(Path(), params.client))
        ],


for file, params in CLIENTS:
    for notebook in plan.planned(params):

        rule:
            name:
                f"{params.client}_{notebook.name}"
            input:
                notebooks=plan.inputs(notebook, params, Paths(Path(), params.client)),
                sources=SOURCES[params.client] if notebook.name == "01_data_cleaning" else [],
            output:
                plan.outputs(notebook, params, Paths(Path(), params.client)),
            params:
                # the shell line is formatted when the loop has ended: what differs stands here
                file=file,
                notebook=notebook.name,
                used=plan.fingerprint(notebook, params),
                code=CODE,
                own=OWN[params.client] if notebook.name == "01_data_cleaning" else "",
            threads: int(config.get("threads", 1))
            resources:
                mem_mb=int(config.get("memory", 2000)),
            shell:
                "{sys.executable:q} -m customerlab.job {params.file:q} {params.notebook}"
                " --threads {threads} --memory {resources.mem_mb} {config[options]}"
