# One image for web, worker, beat and the embedded `up`.
FROM python:3.13-slim AS build
WORKDIR /app
COPY requirements.lock .
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --require-hashes -r requirements.lock

FROM python:3.13-slim
RUN useradd --create-home --uid 10001 tocsin && mkdir /data && chown tocsin /data
COPY --from=build /venv /venv
WORKDIR /app
COPY manage.py LICENSE ./
COPY config config
COPY destinations destinations
COPY oncall oncall
COPY incidents incidents
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 TOCSIN_DATA_DIR=/data TOCSIN_HOST=0.0.0.0 PORT=8000
USER tocsin
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import os,urllib.request as u; u.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/healthz', timeout=4)"]
CMD ["python", "manage.py", "up"]
