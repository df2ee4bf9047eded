//! A larger picture.

use embarca_data::Image;

use super::{Answer, Run};
use crate::failure::Result;
use crate::json::Json;
use crate::term::Caps;

/// The picture that takes the place of the one that was given.
pub struct Enlarged(Image);

impl Enlarged {
    pub fn read(run: &Run<'_>) -> Result<Self> {
        let array = run.array("enlarged")?;
        let dim = |axis: usize| array.dims.get(axis).copied().unwrap_or(1);
        Ok(Self(Image::new(dim(1), dim(0), dim(2), array.data.clone())?))
    }
}

impl Answer for Enlarged {
    fn text(&self, _: &Caps) -> String {
        let colours = if self.0.channels == 1 { " in grey" } else { "" };
        format!("{}x{}{colours}; --out FILE.png keeps it\n", self.0.width, self.0.height)
    }

    fn json(&self) -> (&'static str, Json) {
        let size = [self.0.height, self.0.width, self.0.channels];
        ("enlarged", Json::object([("dims", Json::list(size))]))
    }

    fn draw(&self, picture: &mut Image) {
        *picture = self.0.clone();
    }
}
