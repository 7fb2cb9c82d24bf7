"""The tasks: one file each, naming what the stages outside of engines/ do differently for it."""

from pseudolabel.tasks import classification, detection, instance, semantic
from pseudolabel.tasks.task import Task

TASKS: dict[str, Task] = {
    task.name: task for task in (detection.TASK, instance.TASK, semantic.TASK, classification.TASK)
}
