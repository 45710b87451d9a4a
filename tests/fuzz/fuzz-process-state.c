/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Any row of inputs, with a model of the platform beside: there is one child at most, the timer runs while
 * something is waited for, and what was stopped stays so. */

#include "fuzz.h"

#include "core/process.h"
#include "process-fixture.h"

typedef struct Model {
        bool child;   /* one was made and has not gone */
        bool armed;   /* the timer */
        bool opened;  /* the gate of that child */
        bool stopped; /* Stop was said since the last start */
} Model;

static bool is_gone_input(ProcessInput input) {
        return input >= INPUT_GONE_STOPPED && input <= INPUT_GONE_FINISH;
}

static void perform(Model *model, unsigned actions, ProcessInput input) {
        unsigned arms = actions & (ACTION_ARM_KILL_TIMER | ACTION_ARM_RESTART_TIMER |
                                   ACTION_ARM_LAUNCH_TIMER | ACTION_ARM_HOOK_TIMER | ACTION_ARM_READY_TIMER);

        if (is_gone_input(input)) {
                model->child = model->opened = false;
        }
        if (input == INPUT_TIMEOUT) {
                model->armed = false;
        }
        if (actions & ACTION_DISARM_TIMER) {
                model->armed = false;
        }
        if (actions & ACTION_SPAWN) {
                g_assert_false(model->child);
                model->child = true;
        }
        if (actions & ACTION_OPEN_GATE) {
                g_assert_true(model->child);
                g_assert_false(model->opened);
                model->opened = true;
        }
        if (actions & (ACTION_SIGNAL | ACTION_KILL)) {
                g_assert_true(model->child);
        }
        model->armed = model->armed || arms;
}

static void check(const Model *model, ProcessState state) {
        bool resting = state == PROCESS_STOPPED || state == PROCESS_ERRORED || state == PROCESS_ONLINE ||
                       state == PROCESS_AWAITING;

        g_assert_true(process_state_is_alive(state) == model->child);
        g_assert_true(model->armed == !resting);
        g_assert_true(state != PROCESS_ONLINE || model->opened);
        g_assert_true(!model->stopped || state == PROCESS_STOPPED || state == PROCESS_STOPPING ||
                      state == PROCESS_KILLING || state == PROCESS_FINISHING);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        Process *process = process_new(0, test_unique_id(0), 0, 0, 0);
        Model model = { 0 };

        for (size_t i = 0; i < size; i++) {
                ProcessInput input = (ProcessInput) (data[i] % _PROCESS_INPUT_MAX);
                ProcessState before = process->state;
                /* The manager never chooses these for one that was stopped. */
                if (model.stopped &&
                    (input == INPUT_GONE_AGAIN || input == INPUT_GONE_DELAY || input == INPUT_GONE_ERRORED ||
                     input == INPUT_GONE_PREPARE || input == INPUT_GONE_AWAIT)) {
                        continue;
                }
                /* The platform says it once; a hook stays in its state. */
                if (input == INPUT_PLACED && model.opened) {
                        continue;
                }
                bool start = input == INPUT_START || input == INPUT_PREPARE || input == INPUT_AWAIT;
                if (start && before == PROCESS_WAITING_RESTART) {
                        model.armed = false; /* it is the timer, or a command that takes its place */
                }
                int actions = process_step(process, input);
                if (actions < 0) {
                        g_assert_cmpint(process->state, ==, (int) before);
                        continue;
                }
                model.stopped = input == INPUT_STOP || (model.stopped && !start);
                perform(&model, (unsigned) actions, input);
                check(&model, process->state);
        }
        process_free(process);
        return 0;
}
