"""The `swell` command: what each subcommand is called and which options it takes; the work is elsewhere.

Modules are imported by the subcommand that needs them, so that `swell up` starts small.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer

from swell.runtime.errors import SwellError

app = typer.Typer(
    help="Serverless for Kubernetes, in Python: Knative Services, scaled by their requests, to zero and back.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
image_app = typer.Typer(help="Local images for `swell up`: a folder with a Procfile, or a command.")
app.add_typer(image_app, name="image", no_args_is_help=True)

State = Annotated[
    Path | None,
    typer.Option("--state", metavar="DIR", help="Folder of the cluster's state [default: ~/.local/share/swell]"),
]
Namespace = Annotated[str, typer.Option("--namespace", "-n", help="Namespace.")]
Kubeconfig = Annotated[
    str | None,
    typer.Option(help="kubeconfig to use [default: $KUBECONFIG, else the cluster of `swell up`, else ~/.kube/config]"),
]


def main() -> None:
    """Run the command; an error that a user can mend is one line on stderr and exit code 1."""
    from swell.kube.errors import KubeError

    try:
        app()
    except (SwellError, KubeError) as error:
        print(f"swell: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _state(state: Path | None) -> Path:
    from swell.local.cluster import default_state

    return state if state is not None else default_state(os.environ)


def _run(work: Coroutine[Any, Any, int]) -> None:
    code = asyncio.run(work)
    if code:
        raise typer.Exit(code)


@app.command()
def up(
    port: Annotated[
        int, typer.Option(help="Port of the gateway, where requests come in; 0 takes a free one.", min=0, max=65535)
    ] = 8080,
    state: State = None,
    ephemeral: Annotated[bool, typer.Option("--ephemeral", help="Forget everything at the end.")] = False,
    via_rest: Annotated[
        bool, typer.Option("--via-rest", help="Let the programs use the API over HTTPS, as on Kubernetes.")
    ] = False,
) -> None:
    """Run the one-machine cluster until Ctrl-C, which drains it."""
    from swell.cli.up import up as run_cluster

    if ephemeral and state is not None:
        raise SwellError("--ephemeral keeps nothing and --state DIR keeps everything in DIR: say one of them")
    run_cluster(state=None if ephemeral else _state(state), port=port, via_rest=via_rest)


@app.command()
def demo(
    port: Annotated[int, typer.Option(help="Port of the gateway; 0 takes a free one.", min=0, max=65535)] = 0,
    window: Annotated[str, typer.Option(help="Stable window: how long silence lasts before zero.")] = "6s",
    load: Annotated[float, typer.Option(help="Seconds of load.", min=5)] = 30.0,
    via_rest: Annotated[bool, typer.Option("--via-rest", help="As for `swell up`.")] = False,
) -> None:
    """Watch a Service go from zero to several replicas and back, on a cluster made for it."""
    from swell.cli.demo import demo as run_demo

    _run(run_demo(port=port, window=window, load_s=load, via_rest=via_rest))


@app.command()
def watch(
    name: Annotated[str, typer.Argument(help="Name of the Service.")],
    namespace: Namespace = "default",
    kubeconfig: Kubeconfig = None,
    seconds: Annotated[float | None, typer.Option(help="Stop after this long.")] = None,
) -> None:
    """Follow a Service live: replicas wanted and ready, concurrency, panic, requests per second."""
    from swell.cli.watch import watch as run_watch

    _run(run_watch(name, namespace, kubeconfig, seconds))


@app.command()
def why(
    name: Annotated[str, typer.Argument(help="Name of the Service.")],
    namespace: Namespace = "default",
    at: Annotated[
        str | None, typer.Option("--at", metavar="TIME", help="Then: 14:05, 14:05:30, -5m, 2026-11-28T14:05:30Z.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on telling what changes, until Ctrl-C.")] = False,
    output: Annotated[str, typer.Option("--output", "-o", help="text or json.")] = "text",
    kubeconfig: Kubeconfig = None,
) -> None:
    """Tell why a Service has the replicas it has, what decided, and when it goes to zero."""
    from swell.cli.why import why as run_why

    _run(run_why(name, namespace, kubeconfig, at=at, follow=follow, output=output))


@app.command()
def apply(
    filename: Annotated[list[str], typer.Option("--filename", "-f", help="File, folder, or - for stdin.")],
    namespace: Namespace = "default",
    kubeconfig: Kubeconfig = None,
    wait: Annotated[bool, typer.Option(help="Wait until each Service is ready.")] = False,
    timeout: Annotated[float, typer.Option(help="Seconds to wait.")] = 60.0,
) -> None:
    """Create or change objects from manifests."""
    from swell.cli.objects import apply as run_apply

    _run(run_apply(filename, namespace, kubeconfig, wait_s=timeout if wait else None))


@app.command()
def get(
    kind: Annotated[str, typer.Argument(help="ksvc, rev, route, cfg, kpa, pods, deploy, ...")] = "ksvc",
    name: Annotated[str | None, typer.Argument()] = None,
    namespace: Namespace = "default",
    all_namespaces: Annotated[bool, typer.Option("--all-namespaces", "-A")] = False,
    output: Annotated[str, typer.Option("--output", "-o", help="table, wide, yaml, json or name.")] = "table",
    kubeconfig: Kubeconfig = None,
) -> None:
    """List objects, or show one."""
    from swell.cli.objects import get as run_get

    _run(run_get(kind, name, None if all_namespaces else namespace, output, kubeconfig))


@app.command()
def delete(
    kind: Annotated[str, typer.Argument(help="ksvc, rev, pods, ...; or a file with --filename.")] = "",
    name: Annotated[list[str] | None, typer.Argument()] = None,
    filename: Annotated[list[str] | None, typer.Option("--filename", "-f")] = None,
    namespace: Namespace = "default",
    kubeconfig: Kubeconfig = None,
) -> None:
    """Delete objects by kind and name, or those of manifests."""
    from swell.cli.objects import delete as run_delete

    _run(run_delete(kind, name or [], filename or [], namespace, kubeconfig))


@app.command()
def logs(
    name: Annotated[str, typer.Argument(help="Name of a Service, as NAME or ksvc/NAME, or of a pod as pod/NAME.")],
    namespace: Namespace = "default",
    follow: Annotated[bool, typer.Option("--follow", "-f")] = False,
    container: Annotated[str | None, typer.Option("--container", "-c", help="[default: the app's]")] = None,
    tail: Annotated[int | None, typer.Option(help="Only the last lines.")] = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Print what the app wrote: the pods that there are now."""
    from swell.cli.logs import logs as run_logs

    _run(run_logs(name, namespace, kubeconfig, container=container, follow=follow, tail=tail))


@image_app.command("add")
def image_add(
    name: Annotated[str, typer.Argument(help="What manifests call it, e.g. hello.")],
    folder: Annotated[Path | None, typer.Argument(help="A folder with a Procfile (web: command).")] = None,
    command: Annotated[str | None, typer.Option(help="A command line instead; it listens on $PORT.")] = None,
    state: State = None,
) -> None:
    """Register a local image."""
    from swell.cli.image import add

    add(_state(state), name, folder, command)


@image_app.command("list")
def image_list(state: State = None) -> None:
    """Show the local images."""
    from swell.cli.image import show

    show(_state(state))


@image_app.command("remove")
def image_remove(name: Annotated[str, typer.Argument()], state: State = None) -> None:
    """Forget a local image; pods that run it go on."""
    from swell.cli.image import remove

    remove(_state(state), name)


@app.command()
def install(
    image: Annotated[
        str | None, typer.Option(help="The image of all programs, in a registry that the nodes reach.")
    ] = None,
    replicas: Annotated[int | None, typer.Option(help="Of each program; 2 or more survive the loss of a node.")] = None,
    high_availability: Annotated[bool, typer.Option("--high-availability", help="The same as --replicas 2.")] = False,
    domain: Annotated[
        str | None, typer.Option(help="Services are NAME.NAMESPACE.DOMAIN; without one, for the cluster only.")
    ] = None,
    service_type: Annotated[
        str | None, typer.Option(help="Of the front door: LoadBalancer (the default), NodePort or ClusterIP.")
    ] = None,
    external_port: Annotated[
        int | None, typer.Option(help="Where users reach the front door: in URLs, and as a node port if it can be.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the objects as YAML; no cluster is asked.")] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until all programs run.")] = True,
    timeout: Annotated[float, typer.Option(help="Seconds to wait.")] = 180.0,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Install Swell on a Kubernetes cluster, or upgrade it there."""
    from swell.cli.installation.install import install as run_install
    from swell.cli.installation.render import Options

    several = replicas if replicas is not None else 2 if high_availability else None
    options = Options(image, several, domain, service_type, external_port)
    _run(run_install(options, kubeconfig, dry_run=dry_run, wait_s=timeout if wait else None))


@app.command()
def uninstall(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask, even if Services are lost.")] = False,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for what goes, at each of two steps.")] = 180.0,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Remove Swell from a Kubernetes cluster, with all Services; nothing of it stays."""
    from swell.cli.installation.uninstall import uninstall as run_uninstall

    _run(run_uninstall(kubeconfig, yes=yes, timeout_s=timeout))


@app.command()
def status(kubeconfig: Kubeconfig = None) -> None:
    """Show how the installation on a cluster is; exit code 1 if something is wrong."""
    from swell.cli.installation.status import status as run_status

    _run(run_status(kubeconfig))


@app.command()
def version() -> None:
    """Print the version."""
    from importlib.metadata import version as of

    print(f"swell {of('swell')}")


if __name__ == "__main__":
    main()
