/* The constants of the speech front end, the same integers on every platform. How each is made: frontend_tables.py. */
#ifndef TR_FRONTEND_TABLES_H
#define TR_FRONTEND_TABLES_H

#include <stdint.h>

#include "frontend.h"

enum {
    TR_FIRST_BIN = 5, /* 156 Hz; bins are 31.25 Hz apart */
    TR_BINS = 236,    /* up to 7500 Hz */
    TR_WEIGHT_BITS = 12,
    TR_FOURS = 76,    /* of bins, the last of each gap filled up */
    TR_GAIN_OF_0 = 32636, /* the gain for a noise of 0 */
    TR_GAIN_STEP = 3      /* and how much less it is for 1 */
};

extern const int16_t tr_window[TR_WINDOW];         /* Hann, Q12 */
extern const int16_t tr_twiddles[3 * 6 * 64];      /* (stage, re and im of w^k, w^2k, w^3k, lane), Q15 */
extern const int16_t tr_real_twiddles[2 * 128];    /* (re and im, bin 1..128), Q15 */
extern const int16_t tr_turns[2 * 32 * 23];        /* the last two stages' and those, for fft_lanes.h */
extern const uint16_t tr_gap_starts[TR_BANDS + 2]; /* first bin of each gap between centres of bands, and the end */
extern const int16_t tr_weights[TR_BINS];          /* of a bin in the band below its gap, Q12 */
extern const int32_t tr_fours[8 * TR_FOURS];       /* the same, four bins of a gap and what is left of 1 of each */
extern const uint32_t tr_gain_lines[32];           /* of the gain on [2^i, 2^(i+1)): value, slope (upper half), int16 */
extern const int32_t tr_gain_bends[32];            /* and bend */
extern const uint32_t tr_log_bows[128];            /* log2(1 + i/128) - i/128, Q16; in the upper half the next */

#endif
