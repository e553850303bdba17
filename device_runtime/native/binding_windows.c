/* Whole windows of frames for Python, of which only the last scores are wanted. They run without the GIL, in memory of
 * their own. */
#include <stdlib.h>
#include <string.h>

#include "binding.h"

static PyObject *run(const tinyrnn *model, const Py_buffer views[3], Py_ssize_t frames, Py_ssize_t windows) {
    if (windows == 0 || frames == 0 || frames % windows != 0) {
        PyErr_Format(PyExc_ValueError, "%zd frames do not make %zd equally long windows of at least one", frames,
                     windows);
        return NULL;
    }
    void *scratch = calloc(1, tinyrnn_scratch_size(model));
    if (scratch == NULL) {
        return PyErr_NoMemory();
    }
    const size_t each = (size_t)(frames / windows);
    Py_BEGIN_ALLOW_THREADS
    tinyrnn_windows(model, scratch, views[0].buf, (size_t)windows, each, views[1].buf, views[2].buf);
    Py_END_ALLOW_THREADS
    free(scratch);
    return Py_NewRef(Py_None);
}

PyObject *model_windows(PyObject *self, PyObject *const *args, Py_ssize_t given) {
    static const char *const names[3] = {"frames", "state", "scores"};
    const tinyrnn *model = ((Model *)self)->model;
    const Py_ssize_t sizes[3] = {tinyrnn_feature_size(model), tinyrnn_state_size(model), tinyrnn_score_count(model)};
    Py_ssize_t counts[3] = {-1, 1, -1};
    Py_buffer views[3];
    int taken = 0;
    if (given != 3) {
        return PyErr_Format(PyExc_TypeError, "it takes frames, a state and scores, got %zd arguments", given);
    }
    while (taken < 3 && take(args[taken], names[taken], &float32, &counts[taken], sizes[taken], taken == 2,
                             &views[taken]) == 0) {
        taken++;
    }
    PyObject *answer = taken == 3 ? run(model, views, counts[0], counts[2]) : NULL;
    while (taken > 0) {
        PyBuffer_Release(&views[--taken]);
    }
    return answer;
}
