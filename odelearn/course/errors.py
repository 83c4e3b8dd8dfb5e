"""What the commands of the course say when they cannot go on."""


class CourseError(Exception):
    """The arguments, a folder or an installation cannot be used; the message says what to do."""
