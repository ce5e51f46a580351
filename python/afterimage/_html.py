"""What a notebook shows of a model."""

import base64
from html import escape


def of_model(model):
    height, width, channels = model.shape
    facts = [
        ("picture", f"{height} x {width}, {channels} channel{'' if channels == 1 else 's'}"),
        ("weights", f"{model.n_params:,}"),
        ("PSNR", f"{model.psnr():.2f} dB" if "psnr_train" in model.metadata else None),
        ("device", model.device),
        ("stopped", None if model.complete else "before its last epoch"),
        ("failed", model.failure),
        *(("note", note) for note in model.notes),
    ]
    rows = "".join(
        f'<tr><th style="text-align:left">{escape(name)}</th><td style="text-align:left">{escape(text)}</td></tr>'
        for name, text in facts
        if text is not None
    )
    return (
        '<div style="display:flex;flex-wrap:wrap;gap:1em;align-items:flex-start">'
        f'<img style="max-width:20em" alt="the network\'s picture" src="{_uri("png", model._repr_png_())}">'
        + _curve(model)
        + f"<table>{rows}</table></div>"
    )


def _curve(model):
    if model.curve is None:
        return ""
    return f'<img style="max-width:30em" alt="PSNR" src="{_uri("svg+xml", model.curve.encode())}">'


def _uri(kind, data):
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
