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

static inline lanes affine_lanes(const matrix *m, const int32_t *acc, uint32_t at) {
    return add(mul(from_int32(acc + at), load(m->scale + at)), load(m->bias + at));
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

static void affine(const matrix *m, const int32_t *acc, float *v) {
    for (uint32_t i = 0; i < m->rows; i += LANES) {
        store(v + i, affine_lanes(m, acc, i));
    }
}

static void rectify(const matrix *m, const int32_t *acc, float gain, int8_t *q) {
    for (uint32_t i = 0; i < m->rows; i += LANES) {
        lanes v = mul(affine_lanes(m, acc, i), set(gain));
        store_int8(q + i, whole_within(plus_half(v), 0, 127));
    }
}

static inline lanes sigmoid_of(const tables *tables, lanes v) {
    whole at = whole_within(plus_half(mul(v, set(256.0f))), -SIGMOID_HALF, SIGMOID_HALF - 1);
    return lookup(tables->sigmoid + SIGMOID_HALF, at);
}

static inline lanes tanh_of(const tables *tables, lanes v) {
    whole at = whole_within(plus_half(mul(v, set(512.0f))), -TANH_HALF, TANH_HALF - 1);
    return lookup(tables->tanh + TANH_HALF, at);
}

/* In three passes: one pass is a chain of operations so long that processors cannot look far enough ahead to start the
 * next lanes while they wait. `room` takes z and what goes into tanh. */
static void gates(const layer *gru, const tables *tables, const int32_t *ax, const int32_t *ah, float *room, float *h,
                  int8_t *hq) {
    const matrix *wx = gru->input, *wh = gru->state;
    const uint32_t hidden = gru->outputs, z_at = hidden, n_at = 2 * hidden;
    float *zs = room, *ns = room + hidden + SLACK_ROWS;
    for (uint32_t i = 0; i < hidden; i += LANES) {
        lanes r = sigmoid_of(tables, add(affine_lanes(wx, ax, i), affine_lanes(wh, ah, i)));
        store(ns + i, add(affine_lanes(wx, ax, n_at + i), mul(r, affine_lanes(wh, ah, n_at + i))));
    }
    for (uint32_t i = 0; i < hidden; i += LANES) {
        store(zs + i, sigmoid_of(tables, add(affine_lanes(wx, ax, z_at + i), affine_lanes(wh, ah, z_at + i))));
    }
    for (uint32_t i = 0; i < hidden; i += LANES) {
        lanes n = tanh_of(tables, load(ns + i));
        lanes blended = mul(add(mul(sub(load(h + i), n), load(zs + i)), n), set(32768.0f));
        lanes next = mul(to_float(whole_within(plus_half(blended), -32767, 32767)), set(1.0f / 32768));
        store(h + i, next);
        store_int8(hq + i, int8_of_state(next));
    }
}
