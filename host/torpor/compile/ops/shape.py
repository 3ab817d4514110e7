# SPDX-License-Identifier: Apache-2.0
"""SHAPE and PACK: never computed, see shape_passes.py."""

from torpor.compile.lowering import Record, Site, operator


@operator("SHAPE", "PACK", supports="int32, where they only compute the shape of another operator")
def refuse(site: Site) -> Record:
    """No pass could drop it: its numbers are used."""
    site.unsupported("its numbers are used for more than the shape of a RESHAPE or TRANSPOSE_CONV")
