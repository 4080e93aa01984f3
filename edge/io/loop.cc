// The end-of-turn queue that every loop has.
#include "edge/io/loop.h"

#include "edge/base/limits.h"

namespace nodex {

TurnTask::~TurnTask() {
    if (queued_) loop_->leave(*this);
}

void Loop::at_turn_end(TurnTask& task, TurnTask::Run work, void* owner) noexcept {
    NX_ASSERT(work != nullptr);
    NX_ASSERT(!task.queued_ || task.loop_ == this);
    task.run_ = work;
    task.owner_ = owner;
    if (task.queued_) return;
    task.loop_ = this;
    task.queued_ = true;
    task.next_ = nullptr;
    task.previous_ = last_task_;
    if (last_task_ != nullptr)
        last_task_->next_ = &task;
    else
        first_task_ = &task;
    last_task_ = &task;
}

void Loop::run_turn_tasks() noexcept {
    for (unsigned ran = 0; first_task_ != nullptr && ran < limits::turn_tasks_max; ++ran) {
        TurnTask& task = *first_task_;
        const TurnTask::Run work = task.run_;
        void* const owner = task.owner_;
        leave(task);  // before it runs, so that it may queue itself again or destroy the task
        work(owner);
    }
}

void Loop::leave(TurnTask& task) noexcept {
    NX_ASSERT(task.queued_);
    (task.previous_ != nullptr ? task.previous_->next_ : first_task_) = task.next_;
    (task.next_ != nullptr ? task.next_->previous_ : last_task_) = task.previous_;
    task.next_ = nullptr;
    task.previous_ = nullptr;
    task.queued_ = false;
}

}  // namespace nodex
