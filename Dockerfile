# The command `graphkit` on CPUs. PyTorch's own index has the CPU builds; pytorch.org tells its address:
#   docker build --build-arg TORCH_INDEX=ADDRESS -t graphkit .
#   docker run --rm -v "$PWD:/data" graphkit run dataset=karate out=/data/runs
FROM python:3.11-slim
ARG TORCH_INDEX

# libgomp1: the thread pool of the compiled kernels. Own files are mounted at /data.
RUN apt-get update \
    && apt-get install -y --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 graphkit \
    && install -d -o graphkit -g graphkit /data /var/cache/graphkit

WORKDIR /opt/graphkit
COPY .ci/constraints.txt .ci/constraints.txt
# Before the rest, or the package index would bring torch with CUDA. The pin of a version accepts its CPU build.
RUN pip install --no-cache-dir --index-url "${TORCH_INDEX:?give --build-arg TORCH_INDEX=}" "$(grep '^torch==' .ci/constraints.txt)"
COPY pyproject.toml README.md LICENSE ./
COPY graphkit graphkit
RUN pip install --no-cache-dir -c .ci/constraints.txt '.[ann,hpo,images,parquet,plot,serve]'

USER graphkit
WORKDIR /data
ENV GRAPHKIT_DATA=/data/published NUMBA_CACHE_DIR=/var/cache/graphkit
ENTRYPOINT ["graphkit"]
CMD ["--help"]
