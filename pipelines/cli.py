"""The command line: ``sinks VERB``. Each file of ``pipelines.verbs`` has a verb or a group of them.

The heavy modules are imported inside the verbs so that ``sinks --help`` answers at once.
"""

from __future__ import annotations

import os

import click

from pipelines.verbs import (
    assesscli,
    certaintycli,
    changecli,
    completing,
    completioncli,
    exportcli,
    fetchcli,
    impactcli,
    listcli,
    newcli,
    parameterscli,
    plotcli,
    publishcli,
    reportcli,
    reruncli,
    reservescli,
    rollupcli,
    runcli,
    samplecli,
    trackcli,
    transitioncli,
    valuecli,
)
from pipelines.verbs.answers import Group, answers
from pipelines.verbs.assessoptions import assess_options, collected
from sinks import __version__

_SECTIONS = {
    "Start": ("demo", "new", "check", "layers", "legends", "parameters", "fetch", "completion"),
    "Assess": ("assess", "rollup", "change", "targets", "track", "value", "rerun"),
    "Ask further": ("explain", "transitions", "reserves", "impact", "cite", "rerun"),
    "How sure": ("sample", "plots", "calibrate"),
    "Show": ("report", "plot", "export", "catalog", "publish"),
}
"""Heading of the help → its verbs, in the order of the work."""


@click.group(
    cls=Group, sections=_SECTIONS, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.version_option(__version__, prog_name="sinks")
def main() -> None:
    """Forest coverage, growing stock and ecosystem carbon from maps, held against targets.

    \b
    sinks demo                                     the sample region, in under a minute
    sinks new my_rasters --out assessment.toml     a commented assessment file, made by looking at your files
    sinks assess assessment.toml --out result
    """


for _command in (
    assesscli.assess, assesscli.check, assesscli.demo, exportcli.catalog, exportcli.export, runcli.targets, runcli.explain,
    completioncli.completion,
    runcli.cite, newcli.new, listcli.layers, listcli.legends, parameterscli.parameters, plotcli.plot, reportcli.report,
):  # fmt: skip
    main.add_command(_command)
for _command in certaintycli.commands(answers):
    main.add_command(_command)

main.add_command(samplecli.commands(answers, Group))
main.add_command(changecli.command(answers, assess_options, collected))
main.add_command(fetchcli.command(answers))
main.add_command(impactcli.command(answers))
main.add_command(publishcli.command(answers))
main.add_command(reservescli.command(answers))
main.add_command(reruncli.command(answers))
main.add_command(rollupcli.command(answers))
main.add_command(trackcli.command(answers))
main.add_command(transitioncli.command(answers))
main.add_command(valuecli.command(answers))

if completing.VARIABLE in os.environ:
    completing.attach(main)


if __name__ == "__main__":
    main()
