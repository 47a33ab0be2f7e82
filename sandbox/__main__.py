"""`python -m sandbox`: the embedded server, the demo, and commands on the current database. The Makefile calls this."""

import os
import subprocess
import sys
from typing import Annotated

import typer

from sandbox import warehouse
from sandbox.binaries import find_psql
from sandbox.clone import ROOT
from sandbox.errors import SandboxError

app = typer.Typer(
    help="The embedded PostgreSQL server of this clone, and the demo on sample data.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
PASS_ON = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}


@app.command()
def up(
    quiet: Annotated[bool, typer.Option("--quiet", help="say nothing when all is well")] = False,
) -> None:
    """Start the embedded server and complete the current database; with PGHOST set, that database only."""
    warehouse.bring_up()
    if not quiet:
        typer.echo("up: " + warehouse.describe(warehouse.connection_environment()))


@app.command()
def down() -> None:
    """Stop the embedded server; its data stays."""
    if warehouse.clone_server().stop():
        typer.echo("the embedded server is stopped")
    elif warehouse.names_own_server():
        typer.echo("PGHOST names a server of yours: there is nothing of ours to stop")
    else:
        typer.echo("the embedded server is not running")


@app.command()
def status() -> None:
    """Say what runs, where its files are, and which database is current; exit code 1 when it is down."""
    if warehouse.names_own_server():
        typer.echo("PGHOST is set: " + warehouse.describe(warehouse.connection_environment()))
        return
    server = warehouse.clone_server()
    if server.port is None:
        typer.echo(f"the embedded server is down; its files: {server.state}")
        raise typer.Exit(1)
    typer.echo(warehouse.describe(warehouse.connection_environment()))
    typer.echo(f"files: {server.state}, running as {server.account.name}")


@app.command()
def use(database: Annotated[str, typer.Argument(help="demo, warehouse or another name")]) -> None:
    """Make a database of the embedded server the current one, creating it where it is missing."""
    if warehouse.names_own_server():
        raise SandboxError("PGHOST names a server of yours: choose its database by PGDATABASE")
    server = warehouse.start_server()
    is_new = warehouse.prepare_database(server, database)
    warehouse.record_connection(server, database)
    typer.echo(
        f"now on {warehouse.describe(server.environment(database))}"
        + (": a new, empty database" if is_new else "")
    )


@app.command(context_settings=PASS_ON, add_help_option=False)
def psql(context: typer.Context) -> None:
    """Psql on the current database; every argument is psql's own."""
    warehouse.bring_up_if_down()
    environment = warehouse.connection_environment()
    if sys.stdin.isatty():
        typer.echo(warehouse.describe(environment), err=True)
    program = find_psql(named_server=warehouse.names_own_server())
    os.execve(program, [program, *context.args], {**os.environ, **environment})  # noqa: S606  psql, found by us


@app.command(context_settings=PASS_ON, add_help_option=False)
def exec(context: typer.Context) -> None:  # noqa: A001  the command's name
    """Run a command on the current database; on a sample one the vendor simulator runs meanwhile."""
    warehouse.bring_up_if_down()
    command = context.args
    if warehouse.kind_of_data(warehouse.connection_environment()) != "SAMPLE":
        os.execvp(command[0], command)  # noqa: S606  the user's own command
    from sandbox import demo  # noqa: PLC0415  the simulator is needed on sample data only

    with demo.vendors() as environment:
        code = subprocess.run(  # noqa: S603  the user's own command
            command, cwd=ROOT, env={**os.environ, **environment}, check=False
        ).returncode
    raise typer.Exit(code)


@app.command(name="demo")
def run_demo() -> None:
    """Load the invented market of the vendor simulator through the real loaders, build the marts, show them."""
    from sandbox import demo  # noqa: PLC0415  the simulator is needed on sample data only

    demo.run()


def main() -> None:
    """Run the command; turn every expected error into one line and exit code 1."""
    try:
        app()
    except SandboxError as error:
        if str(error):
            typer.echo(f"sandbox: {error}", err=True)
        sys.exit(1)
    except PermissionError as error:
        typer.echo(f"sandbox: {error.filename} is closed to this user ({error.strerror})", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
