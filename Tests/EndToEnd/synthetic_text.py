"""The text of the agent `synthetic`, worked out from Protocol/README.md alone."""

STEP = 0x9E3779B97F4A7C15
APART = 0xD1B54A32D192ED03
MASK = (1 << 64) - 1
LETTERS = "etaoinshrdlu cmfwypvbgkjqxz ETAOINSHRDLU CMFWYPVBGKJQXZ 01234567"
# The bytes of a token's stamp, where a script has stamps.
STAMP = 16


def token(seed, number, size):
    """A token without its stamp."""
    state = (seed + number * APART) & MASK
    letters = ""
    while len(letters) < size - 2:
        state = mixed = (state + STEP) & MASK
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & MASK
        mixed ^= mixed >> 31
        for _ in range(10):
            letters += LETTERS[mixed & 63]
            mixed >>= 6
    return (letters[:size - 2] + "é").encode()
