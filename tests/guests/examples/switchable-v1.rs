//! Version 1 of one plugin, to be swapped while events flow: puts `"v":1` into the body.

hookway_guests::tag_body!(1);
