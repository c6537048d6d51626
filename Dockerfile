# syntax=docker/dockerfile:1

# The tags say what it is, the digests (of the multi-platform indexes) decide. 3.11 is what every test runs on.
FROM public.ecr.aws/awsguru/aws-lambda-adapter:0.9.1@sha256:46d6625e68cbbdd2efab4a20245977664513f13ffef47915b000d431adcea0b4 AS adapter

FROM python:3.11.15-slim-bookworm@sha256:d29f48a31a8b408ed19272ca1e7b10ebae13b240a27e862d3d4217c528e2e0c3 AS packages
WORKDIR /build
# DuckDB's extension is one of the wheels: nothing is downloaded when the service runs.
COPY requirements.txt scripts/slim.py ./
RUN --mount=type=cache,target=/root/.cache/pip \
    python -m venv --without-pip /opt/venv \
    && python -m pip --disable-pip-version-check --python /opt/venv/bin/python \
        install --quiet --require-hashes --only-binary :all: --no-compile --requirement requirements.txt \
    && python slim.py /opt/venv/lib/python3*/site-packages
# Compiled here, for nobody may write there; by hash and unchecked, for nothing changes afterwards.
COPY application /opt/app/application
RUN python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/venv/lib /opt/app

FROM python:3.11.15-slim-bookworm@sha256:d29f48a31a8b408ed19272ca1e7b10ebae13b240a27e862d3d4217c528e2e0c3
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="download-lambda" \
    org.opencontainers.image.licenses="MIT" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}"
# In Lambda this starts as an extension; elsewhere nothing starts it.
COPY --from=adapter /lambda-adapter /opt/extensions/lambda-adapter
COPY --from=packages /opt/venv /opt/venv
COPY --from=packages /opt/app /opt/app
WORKDIR /opt/app
# PORT is what `serve`, the health check and the adapter go by, unless AWS_LWA_PORT is set.
ENV PATH="/opt/venv/bin:${PATH}" \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PORT=8000 \
    AWS_LWA_INVOKE_MODE=response_stream \
    AWS_LWA_READINESS_CHECK_PATH=/health
# A number, so that Kubernetes can see that it is not root.
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; e = os.environ; r.urlopen(f'http://127.0.0.1:{e.get(\"AWS_LWA_PORT\") or e[\"PORT\"]}/health', timeout=2)"]
CMD ["python", "-m", "application", "serve", "--host", "0.0.0.0"]
