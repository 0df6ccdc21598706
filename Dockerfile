# One image for every service: docker-compose.yml says what a container runs.

FROM python:3.12-slim AS build
WORKDIR /build
COPY requirements/build.lock requirements/runtime.lock requirements/
# Wheels only: nothing is compiled, and nothing runs at installation.
RUN python -m venv --without-pip /opt/billing \
 && pip install --no-cache-dir --only-binary=:all: --require-hashes -r requirements/build.lock \
 && pip --python /opt/billing/bin/python install --no-cache-dir --only-binary=:all: --require-hashes \
      -r requirements/runtime.lock
COPY . .
RUN hatchling build -t wheel -d dist \
 && pip --python /opt/billing/bin/python install --no-cache-dir --no-deps --no-index dist/*.whl

FROM python:3.12-slim
RUN useradd --uid 10001 --user-group --create-home --home-dir /var/lib/billing --shell /usr/sbin/nologin billing
COPY --from=build /opt/billing /opt/billing
ENV PATH=/opt/billing/bin:$PATH PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /var/lib/billing
CMD ["billing", "--help"]
