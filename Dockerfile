# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
# docker build --target host -t torpor .     the host tools: quantize, compile, image, update, flash, monitor
# docker build --target test -t torpor-test . && docker run --rm torpor-test     everything: runs tools/test
#
# The host stage has no compiler, neither for this computer nor for a chip: `torpor verify` and
# `scons` need the other one. `torpor doctor` says so.

FROM debian:12-slim AS python
# Debian 12 is the pin: its packages change for security only.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3 \
 && rm -rf /var/lib/apt/lists/*

FROM python AS packages
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3-pip python3-venv \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/torpor
COPY requirements.lock ./
# Exact versions with hashes; no bytecode and no tests of packages, which are a fifth of the size.
RUN python3 -m venv --without-pip .venv \
 && pip --python .venv/bin/python install --no-cache-dir --no-compile --require-hashes -r requirements.lock \
 && find .venv -type d \( -name tests -o -name test \) -prune -exec rm -rf {} +
COPY pyproject.toml README.md LICENSE ./
COPY host host
RUN pip --python .venv/bin/python install --no-cache-dir --no-compile --no-deps --no-build-isolation -e .

FROM python AS host
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="torpor" \
      org.opencontainers.image.description="Host tools: models quantized, compiled, signed, brought to devices and watched there" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="debian:12-slim" \
      torpor.tflite-micro="0.dev20261023182759" \
      torpor.esptool="5.6.0" \
      torpor.imgtool="2.5.0"
WORKDIR /opt/torpor
COPY --from=packages /opt/torpor /opt/torpor
COPY boards boards
COPY firmware firmware
COPY models models
COPY site_scons site_scons
COPY tools tools
COPY SConstruct ./
# A serial port belongs to the group dialout: docker run --device /dev/ttyACM0 ...
RUN useradd --create-home --uid 1000 --groups dialout torpor
ENV PATH="/opt/torpor/.venv/bin:${PATH}" \
    PYTHONDONTWRITEBYTECODE=1
USER 1000
WORKDIR /work
ENTRYPOINT ["torpor"]
CMD ["--help"]

FROM debian:12-slim AS test
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates git python3 \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /torpor
COPY . .
RUN tools/setup --test
CMD ["tools/test"]
