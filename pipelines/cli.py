"""The command line: ``sinks VERB``. Each file of ``pipelines.verbs`` has a verb or a group of them.

The heavy modules are imported inside the verbs so that ``sinks --help`` answers at once.
"""

from __future__ import annotations

import click

from pipelines.verbs import (
    assesscli,
    certaintycli,
    changecli,
    fetchcli,
    impactcli,
    listcli,
    parameterscli,
    plotcli,
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


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="sinks")
def main() -> None:
    """Forest coverage, growing stock and ecosystem carbon from maps, held against targets.

    Start with:  sinks demo
    """


for _command in (assesscli.assess, assesscli.check, assesscli.demo, runcli.targets, runcli.explain, runcli.cite, listcli.layers,
                 listcli.legends, parameterscli.parameters, plotcli.plot):  # fmt: skip
    main.add_command(_command)
for _command in certaintycli.commands(answers):
    main.add_command(_command)

main.add_command(samplecli.commands(answers, Group))
main.add_command(changecli.command(answers, assess_options, collected))
main.add_command(fetchcli.command(answers))
main.add_command(impactcli.command(answers))
main.add_command(reservescli.command(answers))
main.add_command(rollupcli.command(answers))
main.add_command(trackcli.command(answers))
main.add_command(transitioncli.command(answers))
main.add_command(valuecli.command(answers))


if __name__ == "__main__":
    main()
