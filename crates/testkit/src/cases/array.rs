//! Arrays of f64: what references compute on, and the few ways in which they do.

use embarca_num::DType;

/// Row-major numbers with the element type they stand for; quantized tensors as real numbers (f32).
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// What is stored, or f32 for quantized tensors.
    pub dtype: DType,
    /// Outermost first.
    pub dims: Vec<usize>,
    /// The numbers.
    pub data: Vec<f64>,
    /// How many rounded terms are summed up for one number: the reduction length of the tolerance.
    pub terms: usize,
}

impl From<Array> for Vec<Array> {
    fn from(array: Array) -> Self {
        vec![array]
    }
}

impl Array {
    /// `f` of every index, in row-major order.
    pub fn from_fn(dtype: DType, dims: &[usize], mut f: impl FnMut(&[usize]) -> f64) -> Self {
        let data = indices(dims).iter().map(|index| f(index)).collect();
        Self { dtype, dims: dims.to_vec(), data, terms: 0 }
    }

    /// `f` of every index into `dims`, in this array's type.
    pub fn like(&self, dims: &[usize], f: impl FnMut(&[usize]) -> f64) -> Self {
        Self::from_fn(self.dtype, dims, f)
    }

    /// `f` of every number.
    pub fn map(&self, f: impl FnMut(f64) -> f64) -> Self {
        Self { data: self.data.iter().copied().map(f).collect(), ..self.clone() }
    }

    /// With a reduction length.
    pub fn summing(self, terms: usize) -> Self {
        Self { terms, ..self }
    }

    /// Where the number at an index is stored.
    pub fn place(&self, index: &[usize]) -> usize {
        assert_eq!(index.len(), self.dims.len(), "{index:?} into {:?}", self.dims);
        index.iter().zip(&self.dims).fold(0, |at, (&i, &dim)| {
            assert!(i < dim, "{index:?} into {:?}", self.dims);
            at * dim + i
        })
    }

    /// The number at an index.
    pub fn at(&self, index: &[usize]) -> f64 {
        self.data[self.place(index)]
    }

    /// The number at an index of a result that this array broadcasts to, as in NumPy.
    pub fn spread(&self, index: &[usize]) -> f64 {
        let own = &index[index.len() - self.dims.len()..];
        let own = own.iter().zip(&self.dims).map(|(&i, &dim)| if dim == 1 { 0 } else { i });
        self.at(&own.collect::<Vec<_>>())
    }

    /// The numbers as indices of an axis of `dim` elements; negative ones count from the end.
    pub fn index(&self, index: &[usize], dim: usize) -> usize {
        let i = self.at(index) as i64;
        usize::try_from(if i < 0 { i + dim as i64 } else { i }).expect("an index is out of range")
    }

    /// `f` of each row along `axis`; it yields as many numbers as it is given.
    pub fn rows(&self, axis: usize, f: impl Fn(&[f64]) -> Vec<f64>) -> Self {
        let dim = self.dims[axis];
        let mut result = self.clone();
        let with = |index: &[usize], i: usize| {
            let mut index = index.to_vec();
            index[axis] = i;
            index
        };
        for index in indices(&self.dims).iter().filter(|index| index[axis] == 0) {
            let row: Vec<f64> = (0..dim).map(|i| self.at(&with(index, i))).collect();
            for (i, value) in f(&row).into_iter().enumerate() {
                let at = self.place(&with(index, i));
                result.data[at] = value;
            }
        }
        result
    }
}

/// All indices into `dims`, in row-major order.
pub fn indices(dims: &[usize]) -> Vec<Vec<usize>> {
    let mut all = vec![Vec::new()];
    for &dim in dims {
        let longer = |index: &Vec<usize>| {
            let index = index.clone();
            (0..dim).map(move |i| [index.as_slice(), &[i]].concat()).collect::<Vec<_>>()
        };
        all = all.iter().flat_map(longer).collect();
    }
    all
}

/// The dimensions to which all arrays broadcast, as in NumPy.
pub fn broadcast(x: &[Array]) -> Vec<usize> {
    let rank = x.iter().map(|x| x.dims.len()).max().unwrap_or(0);
    let dim = |axis: usize| {
        let mut dims = x.iter().filter_map(|x| {
            let front = rank - x.dims.len();
            x.dims.get(axis.checked_sub(front)?).copied()
        });
        dims.find(|&dim| dim != 1).unwrap_or(1)
    };
    (0..rank).map(dim).collect()
}

/// `f` of the numbers of all arrays at each index, broadcast; in the type of the last.
pub fn elementwise(x: &[Array], f: impl Fn(&[f64]) -> f64) -> Array {
    let last = &x[x.len() - 1];
    last.like(&broadcast(x), |index| f(&x.iter().map(|x| x.spread(index)).collect::<Vec<_>>()))
}
