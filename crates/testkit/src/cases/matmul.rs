//! Cases of `matmul`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let op = Matmul { transpose_a: false, transpose_b: false };
    let (a, b) =
        (Matmul { transpose_a: true, ..op.clone() }, Matmul { transpose_b: true, ..op.clone() });
    let both = Matmul { transpose_a: true, transpose_b: true };
    let whole = |dims: &[usize]| ints(DType::I32, dims, -300, 300);
    suite(
        rounded(1),
        reference,
        [
            case("whole numbers", op.clone(), [whole(&[2, 3, 5]), whole(&[5, 7])]),
            case("whole numbers, second exchanged", b.clone(), [whole(&[3, 5]), whole(&[7, 5])]),
            case("f64", op.clone(), [ints(DType::F64, &[2, 3, 5], -9, 9), ints(DType::F64, &[5, 7], -9, 9)]),
            case("matrices", op.clone(), [f32s(&[3, 5]).open(0), f32s(&[5, 18])]),
            case("batches broadcast", op.clone(), [f32s(&[2, 1, 3, 4]), f32s(&[3, 4, 5])]),
            case("first exchanged", a, [f32s(&[2, 4, 3]), f32s(&[4, 2])]),
            case("second exchanged", b.clone(), [f32s(&[2, 3, 4]), f32s(&[2, 5, 4])]),
            case("both exchanged", both, [f32s(&[4, 3]), f32s(&[5, 4])]),
            case("nothing to sum", op.clone(), [f32s(&[2, 0]), f32s(&[0, 3])]),
            case("no batches", op.clone(), [f32s(&[0, 2, 3]), f32s(&[3, 4])]),
            case("16 bits", op.clone(), [i16s(&[2, 3, 8], 0.0001), i16s(&[8, 5], 0.0001)])
                .yields(0.001, 0)
                .within(WIDE),
            case("quantized", op, [i8s(&[2, 3, 8], 0.02, 4), i8s(&[8, 5], 0.01, -6)])
                .yields(0.04, 2),
            case("quantized, second exchanged", b, [i8s(&[3, 8], 0.02, 4), i8s(&[5, 8], 0.01, 3)])
                .yields(0.04, 2),
        ],
    )
}

fn reference(op: &Matmul, x: &[Array]) -> Array {
    let exchanged = |x: &Array, exchange: bool| {
        let swap = |index: &[usize]| {
            let mut index = index.to_vec();
            let at = index.len() - 2;
            index.swap(at, at + usize::from(exchange));
            index
        };
        x.like(&swap(&x.dims), |index| x.at(&swap(index)))
    };
    let (a, b) = (exchanged(&x[0], op.transpose_a), exchanged(&x[1], op.transpose_b));
    let batch = |x: &Array| x.like(&x.dims[..x.dims.len() - 2], |_| 0.0);
    let outer = broadcast(&[batch(&a), batch(&b)]);
    let (rows, inner) = (a.dims[a.dims.len() - 2], a.dims[a.dims.len() - 1]);
    let columns = b.dims[b.dims.len() - 1];
    let y = a.like(&[outer.as_slice(), &[rows, columns]].concat(), |at| {
        let (front, cell) = at.split_at(outer.len());
        let product = |k: usize| {
            a.spread(&[front, &[cell[0], k]].concat()) * b.spread(&[front, &[k, cell[1]]].concat())
        };
        (0..inner).map(product).sum()
    });
    y.summing(inner + 1)
}
