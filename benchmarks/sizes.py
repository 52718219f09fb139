"""Sizes of the data in the benchmarks, the same for our replay and its peers."""

NUM_ENVS = 256
BATCH = 256
RUN = 1_024  # Rows of one environment appended in one call.
OBSERVATION_SIZE = 24  # float32
FRAME = (84, 84)  # uint8
FRAME_BYTES = 84 * 84
STACK = 4
EPISODE_LENGTH = 1_000
ALPHA, BETA = 0.6, 0.4  # Schaul et al. 2016, exponents of the proportional variant.
