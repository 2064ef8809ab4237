//! Linked calendars through the service, and how they are copied.
