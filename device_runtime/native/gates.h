/* The elementwise lines of arithmetic.py, written once over lanes.
 *
 * A kernel defines, before it includes this file: LANES; the types `lanes` of so many float32 and `whole` of
 * as many int32; and load, store, set, add, sub, mul, round_down, whole_within, to_float, from_int32, store_int8 and
 * lookup. Each is one IEEE operation per lane. The last lanes of a vector may lie past its end: every vector has SLACK
 * there, and what they hold is never used.
 *
 * `whole_within` rounds down and keeps within limits, whatever it is given, NaN too: no input makes an index that is
 * not in its table.
 */

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

static inline whole int8_of_state(lanes h) { return whole_within(plus_half(mul(h, set(128.0f))), -127, 127); }

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
        store_int8(hq + i, int8_of_state(load(h + i)));
    }
}

static void affine(const matrix *m, const int32_t *acc, float *restrict v) {
    const affine_map map = map_of(m, acc);
    for (uint32_t i = 0, rows = m->rows; i < rows; i += LANES) {
        store(v + i, affine_lanes(map, i));
    }
}

static void rectify(const matrix *m, const int32_t *acc, float gain, int8_t *restrict q) {
    const affine_map map = map_of(m, acc);
    for (uint32_t i = 0, rows = m->rows; i < rows; i += LANES) {
        lanes v = mul(affine_lanes(map, i), set(gain));
        store_int8(q + i, whole_within(plus_half(v), 0, 127));
    }
}

static inline lanes sigmoid_of(const int16_t *restrict middle, lanes v) {
    return lookup(middle, whole_within(plus_half(mul(v, set(256.0f))), -SIGMOID_HALF, SIGMOID_HALF - 1));
}

static inline lanes tanh_of(const int16_t *restrict middle, lanes v) {
    return lookup(middle, whole_within(plus_half(mul(v, set(512.0f))), -TANH_HALF, TANH_HALF - 1));
}

/* In three passes: one pass is a chain of operations so long that processors cannot look far enough ahead to start the
 * next lanes while they wait. `room` takes z and what goes into tanh. */
static void gates(const layer *gru, const tables *tables, const int32_t *ax, const int32_t *ah, float *restrict room,
                  float *restrict h, int8_t *restrict hq) {
    const affine_map gx = map_of(gru->input, ax), gh = map_of(gru->state, ah);
    const int16_t *restrict sigmoid = tables->sigmoid + SIGMOID_HALF, *restrict tanh = tables->tanh + TANH_HALF;
    const uint32_t hidden = gru->outputs, z_at = hidden, n_at = 2 * hidden;
    float *restrict zs = room, *restrict ns = room + hidden + SLACK_ROWS;
    for (uint32_t i = 0; i < hidden; i += LANES) {
        lanes r = sigmoid_of(sigmoid, add(affine_lanes(gx, i), affine_lanes(gh, i)));
        store(ns + i, add(affine_lanes(gx, n_at + i), mul(r, affine_lanes(gh, n_at + i))));
    }
    for (uint32_t i = 0; i < hidden; i += LANES) {
        store(zs + i, sigmoid_of(sigmoid, add(affine_lanes(gx, z_at + i), affine_lanes(gh, z_at + i))));
    }
    for (uint32_t i = 0; i < hidden; i += LANES) {
        lanes n = tanh_of(tanh, load(ns + i));
        lanes blended = mul(add(mul(sub(load(h + i), n), load(zs + i)), n), set(32768.0f));
        lanes next = mul(to_float(whole_within(plus_half(blended), -32767, 32767)), set(1.0f / 32768));
        store(h + i, next);
        store_int8(hq + i, int8_of_state(next));
    }
}
