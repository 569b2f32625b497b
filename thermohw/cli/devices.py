# SPDX-License-Identifier: Apache-2.0
"""`thermohw devices`: the device cards, and what follows from each."""

from typing import Annotated, Any

import typer

from thermohw.backends import Fact, facts, overdamped_sentence
from thermohw.cards import AnyCard, card_names, load_card
from thermohw.cli.console import clear_failure, out, print_json, table
from thermohw.cli.options import AsJson
from thermohw.units import Quantity

devices = typer.Typer(help="List the device cards, and tell what follows from one.", add_completion=False)


@devices.callback(invoke_without_command=True)
def overview(context: typer.Context, as_json: AsJson = False) -> None:
    """List the device cards that ship with the package."""
    if context.invoked_subcommand is not None:
        return
    with clear_failure():
        cards = [load_card(name) for name in card_names()]
        if as_json:
            print_json({card.name: _summary(card) for card in cards})
            return
        columns = ("card", "kind", "t0", "x_u", "T_eff", "Q")
        out.print(table("Device cards", columns, [_overview_row(card) for card in cards]))
        for card in cards:
            out.print(f"{card.name}: {card.description}", markup=False)
        out.print("thermohw devices show NAME tells all; --device takes a name or the path of a card of your own")


@devices.command("show")
def show_device(
    name: Annotated[str, typer.Argument(help="Name of a card, or path of a card of your own.")],
    as_json: AsJson = False,
) -> None:
    """Print a card, and what follows from it at J2 = J4 = 10 k_BT."""
    with clear_failure():
        card = load_card(name)
        if as_json:
            print_json({"card": card.model_dump(mode="json", by_alias=True), **_summary(card)})
            return
        out.print(f"[bold]{card.name}[/bold]  {card.kind}{', illustrative' if card.illustrative else ''}")
        out.print(card.description, markup=False)
        out.print(f"Regime: {card.regime}", markup=False)
        out.print(table("The card", ("quantity", "value", "status", "source"), _card_rows(card)))
        rows = [(fact.name, _number(fact)) for fact in facts(card)]
        out.print(table("What follows from it, at J2 = J4 = 10 k_BT", ("quantity", "value"), rows))
        out.print(overdamped_sentence(card), markup=False)


def _summary(card: AnyCard) -> dict[str, Any]:
    return {
        "kind": card.kind,
        "description": card.description,
        "derived": {fact.key: {"value": fact.value, "unit": fact.unit} for fact in facts(card)},
        "overdamped": overdamped_sentence(card),
    }


def _overview_row(card: AnyCard) -> tuple[str, ...]:
    known = {fact.key: fact for fact in facts(card)}
    cells = [_number(known[key]) if key in known else "" for key in ("time", "length", "temperature", "quality_factor")]
    return (card.name, card.kind, *cells)


def _card_rows(card: AnyCard) -> list[tuple[str, str, str, str]]:
    quantities: dict[str, Quantity | None] = {"temperature": card.temperature, "n_units": card.n_units}
    if card.kind != "ideal":
        quantities |= {f"components.{key}": value for key, value in vars(card.components).items()}
    quantities |= {f"energy.{key}": value for key, value in vars(card.energy).items()}
    rows = [
        (key, _with_unit(f"{known.value:.6g}", known.unit), known.status, known.source)
        if known is not None
        else (key, "not stated", "", "")
        for key, known in quantities.items()
        if known is not None or card.kind != "ideal"
    ]
    for key, allowed in (("couplings", card.couplings), ("biases", card.biases), ("readout", card.readout)):
        if allowed is not None:
            bits = "continuous" if allowed.bits is None else f"{allowed.bits} bits"
            value = f"{allowed.min:.4g} … {allowed.max:.4g} {allowed.unit}, {bits}"
            rows.append((key, value, allowed.status, allowed.source))
    return rows


def _number(fact: Fact) -> str:
    return _with_unit(f"{fact.value:.4g}", fact.unit)


def _with_unit(number: str, unit: str) -> str:
    return number if unit == "1" else f"{number} {unit}"
