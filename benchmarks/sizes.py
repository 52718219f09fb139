"""What the replays that are measured hold; the same for ours and its peers."""

NUM_ENVS = 256
BATCH = 256
OBSERVATION_SIZE = 24  # float32
FRAME = (84, 84)  # uint8
FRAME_BYTES = 84 * 84
STACK = 4
EPISODE_LENGTH = 1_000
ALPHA, BETA = 0.6, 0.4
