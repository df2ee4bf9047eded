//! Boxes on a picture.

use super::Image;

/// Draws the frame of a box given as left, top, right, bottom in pixels, `thickness` pixels wide
/// to the inside. What lies outside the image is cut off; a grey image takes the red value.
pub fn draw_box(image: &mut Image, [x0, y0, x1, y1]: [f32; 4], colour: [u8; 3], thickness: usize) {
    let clip = |value: f32, size: usize| (value.round().max(0.0) as usize).min(size);
    let (left, right) = (clip(x0, image.width), clip(x1, image.width));
    let (top, bottom) = (clip(y0, image.height), clip(y1, image.height));
    let (width, channels) = (image.width, image.channels);
    for y in top..bottom {
        let on_edge = y < top + thickness || bottom <= y + thickness;
        for x in left..right {
            if !on_edge && left + thickness <= x && x + thickness < right {
                continue;
            }
            let start = (y * width + x) * channels;
            if let Some(pixel) = image.pixels.get_mut(start..start + channels) {
                pixel.iter_mut().zip(colour).for_each(|(to, from)| *to = from);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames() {
        let mut image = Image::new(5, 4, 1, vec![0; 20]).unwrap();
        draw_box(&mut image, [1.0, 0.4, 5.4, 9.0], [7, 0, 0], 1);
        #[rustfmt::skip]
        assert_eq!(image.pixels, [
            0, 7, 7, 7, 7,
            0, 7, 0, 0, 7,
            0, 7, 0, 0, 7,
            0, 7, 7, 7, 7,
        ]);
        let mut image = Image::new(2, 2, 3, vec![0; 12]).unwrap();
        draw_box(&mut image, [f32::NAN, -5.0, 1.0, f32::INFINITY], [1, 2, 3], usize::MAX / 2);
        assert_eq!(image.pixels, [1, 2, 3, 0, 0, 0, 1, 2, 3, 0, 0, 0]);
    }
}
