/* The elementwise lines of arithmetic.py, written once over lanes.
 *
 * A kernel defines, before it includes this file: LANES; the types `lanes` of so many float32 and `whole` of
 * as many int32; RAISED, what its int8 inputs are flipped by; and load, store, set, add, sub, mul, scaled, round_down,
 * whole_within, to_float, from_int32, store_int32, store_int8 and lookup. Each is one IEEE operation per lane, and
 * `scaled` (v * k + w) is two: k is a power of two, a product with it is exact, and so a fused one has the same bits.
 * For the same reason the tables' Q15 integers go on as they are, and 2^-15 is multiplied where it costs nothing: no
 * value is large or small enough for the difference to reach a result. The last lanes of a vector may lie past its end:
 * every vector has SLACK there, and what they hold is never used.
 *
 * A kernel that makes the int8 copy of a Q15 state in few operations defines NARROWS, and store_state instead of
 * store_int32. Its `whole` may then be int16, which every limit here fits.
 * One whose processors look far ahead defines LOOKS_FAR: z then needs no pass of its own.
 *
 * `whole_within` rounds down and keeps within limits, whatever it is given, NaN too: no input makes an index that is
 * not in its table.
 */

#define Q15_UNIT (1.0f / 32768)

static inline lanes plus_half(lanes v) { return add(v, set(0.5f)); }

/* What turns the sums of rows into values; it overlaps nothing that is written. */
typedef struct {
    const int32_t *restrict acc;
    const float *restrict scale, *restrict bias;
} affine_map;

static inline affine_map map_of(const matrix *m, const int32_t *acc) { return (affine_map){acc, m->scale, m->bias}; }

static inline lanes affine_lanes(affine_map map, uint32_t at) {
    return add(mul(from_int32(map.acc + at), load(map.scale + at)), load(map.bias + at));
}

static void quantize_frame(const float *frame, float *error, float gain, int8_t *q, uint32_t count) {
    for (uint32_t i = 0; i < count; i += LANES) {
        lanes wanted = add(mul(load(frame + i), set(gain)), load(error + i));
        lanes above = plus_half(wanted);
        store(error + i, sub(wanted, round_down(above)));
        store_int8(q + i, whole_within(above, -127, 127));
    }
}

static void quantize_state(const float *h, int8_t *hq, uint32_t count) {
    for (uint32_t i = 0; i < count; i += LANES) {
        store_int8(hq + i, whole_within(scaled(load(h + i), 128.0f, set(0.5f)), -127, 127));
    }
}

static void affine(const matrix *m, const int32_t *acc, float *restrict v) {
    const affine_map map = map_of(m, acc);
    for (uint32_t i = 0, rows = m->rows; i < rows; i += LANES) {
        store(v + i, affine_lanes(map, i));
    }
}

static inline void quantize(const matrix *m, const int32_t *acc, float gain, int32_t low, int8_t *restrict q) {
    const affine_map map = map_of(m, acc);
    for (uint32_t i = 0, rows = m->rows; i < rows; i += LANES) {
        lanes v = mul(affine_lanes(map, i), set(gain));
        store_int8(q + i, whole_within(plus_half(v), low, 127));
    }
}

static void rectify(const matrix *m, const int32_t *acc, float gain, int8_t *restrict q) {
    quantize(m, acc, gain, 0, q);
}

static void requantize(const matrix *inner, const int32_t *acc, int8_t *restrict q) {
    quantize(inner, acc, inner->gain, -127, q);
}

/* In Q15, as integers. */
static inline lanes sigmoid_of(const int16_t *restrict middle, lanes v) {
    return lookup(middle, whole_within(scaled(v, 256.0f, set(0.5f)), -SIGMOID_HALF, SIGMOID_HALF - 1));
}

static inline lanes tanh_of(const int16_t *restrict middle, lanes v) {
    return lookup(middle, whole_within(scaled(v, 512.0f, set(0.5f)), -TANH_HALF, TANH_HALF - 1));
}

#if !defined(NARROWS)
/* The int8 copy of a Q15 state, in integers: half a step up, 8 bits less. The compiler makes lanes of it. */
static void narrow(const int32_t *restrict state, int8_t *restrict hq, uint32_t count) {
    const uint32_t whole_lanes = (count + SLACK_ROWS - 1) / SLACK_ROWS * SLACK_ROWS;
    for (uint32_t i = 0; i < whole_lanes; i++) {
        const int32_t rounded = (state[i] + 128) >> 8;
        const int32_t above = rounded < -127 ? -127 : rounded;
        hq[i] = (int8_t)((above > 127 ? 127 : above) ^ RAISED);
    }
}
#endif

/* In passes: one alone is a chain of operations so long that processors cannot look far enough ahead to start the
 * next lanes while they wait. `room` takes z, then the next state in Q15, where they are kept, and what goes into tanh.
 */
static void gates(const layer *gru, const tables *tables, const int32_t *ax, const int32_t *ah, float *restrict room,
                  float *restrict h, int8_t *restrict hq) {
    const affine_map gx = map_of(gru->input, ax), gh = map_of(gru->state, ah);
    const int16_t *restrict sigmoid = tables->sigmoid + SIGMOID_HALF, *restrict tanh = tables->tanh + TANH_HALF;
    const uint32_t hidden = gru->outputs, z_at = hidden, n_at = 2 * hidden;
    float *restrict zs = room, *restrict ns = room + hidden + SLACK_ROWS;
    (void)zs;
    for (uint32_t i = 0; i < hidden; i += LANES) {
        lanes r = sigmoid_of(sigmoid, add(affine_lanes(gx, i), affine_lanes(gh, i)));
        store(ns + i, scaled(mul(r, affine_lanes(gh, n_at + i)), Q15_UNIT, affine_lanes(gx, n_at + i)));
    }
#define Z_OF(i) sigmoid_of(sigmoid, add(affine_lanes(gx, z_at + (i)), affine_lanes(gh, z_at + (i))))
#if !defined(LOOKS_FAR)
    for (uint32_t i = 0; i < hidden; i += LANES) {
        store(zs + i, Z_OF(i));
    }
#undef Z_OF
#define Z_OF(i) load(zs + (i))
#endif
    for (uint32_t i = 0; i < hidden; i += LANES) {
        lanes n = tanh_of(tanh, load(ns + i));
        lanes blended = add(mul(scaled(n, -Q15_UNIT, load(h + i)), Z_OF(i)), n);
        whole next = whole_within(plus_half(blended), -32767, 32767);
        store(h + i, mul(to_float(next), set(Q15_UNIT)));
#if defined(NARROWS)
        store_state(hq + i, next);
    }
#else
        store_int32((int32_t *)(void *)(zs + i), next);
    }
    narrow((const int32_t *)(const void *)zs, hq, hidden);
#endif
#undef Z_OF
}

/* `room` takes the gates in Q15, and the blends are as many times larger. A product that is too small for all digits of
 * a float32 meets an addend that it cannot change, or one as small, and half a step up neither is seen any more. */
static void sru(const layer *sru, const tables *tables, const int32_t *acc, float *restrict room, float *restrict c,
                int8_t *restrict q) {
    const affine_map of = map_of(sru->input, acc);
    const int16_t *restrict sigmoid = tables->sigmoid + SIGMOID_HALF;
    const uint32_t hidden = sru->outputs, r_at = 2 * hidden, p_at = 3 * hidden;
    const float *restrict peephole = sru->peephole;
    float *restrict fs = room, *restrict rs = room + hidden + SLACK_ROWS;
    for (uint32_t i = 0; i < hidden; i += LANES) {
        lanes before = load(c + i);
        lanes f = add(affine_lanes(of, hidden + i), mul(load(peephole + i), before));
        lanes r = add(affine_lanes(of, r_at + i), mul(load(peephole + hidden + i), before));
        store(fs + i, sigmoid_of(sigmoid, f));
        store(rs + i, sigmoid_of(sigmoid, r));
    }
    for (uint32_t i = 0; i < hidden; i += LANES) {
        lanes x = affine_lanes(of, i), p = affine_lanes(of, p_at + i);
        lanes blended = scaled(x, 32768.0f, mul(sub(load(c + i), x), load(fs + i)));
        lanes next = mul(to_float(whole_within(plus_half(blended), -32767, 32767)), set(Q15_UNIT));
        store(c + i, next);
        lanes passed = scaled(p, 32768.0f, mul(sub(next, p), load(rs + i)));
        store_int8(q + i, whole_within(scaled(passed, 128.0f * Q15_UNIT, set(0.5f)), -127, 127));
    }
}
